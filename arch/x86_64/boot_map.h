/* arch/x86_64/boot_map.h - the kernel's own page tables, made once at boot. */
#pragma once
#include "arch/boot.h"
#include "arch/x86_64/paging.h"

/* Builds the kernel's tables and runs on them; the early ones are gone afterwards.  registers: a page of a device, to be mapped as well; 0: none. */
void boot_map_init(const struct boot_info *, paddr_t registers);
/* Gives a new root its upper half. */
void kernel_slots_copy(pte_t *root);
/* Where an address inside the kernel's image lies in RAM. */
paddr_t image_paddr(const void *);
