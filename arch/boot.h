/*
 * arch/boot.h - contract: what the boot loader handed over.
 *
 * Order: the architecture's entry code saves it, fills the physical map (vm/physmap.h: usable ranges, then what is taken), builds the
 * direct map with frames from boot_alloc, and calls kernel_main on the boot stack with interrupts off.
 */
#pragma once
#include "vm/types.h"

struct boot_info {
	const char *cmdline;		/* kernel command line, NUL-terminated; never NULL */
	const char *loader;		/* the loader's name */
	paddr_t image;			/* the FAT image (first module); frame-aligned if the loader obeyed */
	size_t image_size;		/* bytes; 0: there is none */
	paddr_t kernel_start, kernel_end;	/* where the kernel's own image lies in RAM */
	const char *memory_warning;	/* what was wrong with the memory map, or NULL */
};

/* Upcall: kernel/main.c. */
void kernel_main(const struct boot_info *) __attribute__((noreturn));
/* Traps, per-CPU data, interrupt controller; called by kernel_main once vm is up. */
void arch_init(void);
