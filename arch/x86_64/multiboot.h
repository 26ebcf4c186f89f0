/*
 * arch/x86_64/multiboot.h - reading what a Multiboot2 loader says.
 */
#pragma once
#include "arch/boot.h"

/*
 * Reads the information at `info`, at most `size` bytes of it, into *boot and the physical map; kernel_start and kernel_end are
 * set by the caller.  Memory from `limit` up is ignored.  All that is kept is copied: `info` may be overwritten afterwards.
 * => NULL, or in words why the machine cannot start.
 */
const char *multiboot_parse(const void *info, size_t size, paddr_t limit, struct boot_info *boot);

/* The root pointer of the ACPI tables, as the loader copied it: its size, or 0. */
size_t multiboot_acpi(const void **);
