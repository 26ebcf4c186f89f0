/* arch/x86_64/acpi.h - reading which processors the firmware says there are. */
#pragma once
#include "vm/types.h"
#include "arch/cpu.h"

/* Those that can be used, by the number of their local interrupt controller. */
struct acpi_processors {
	unsigned n;			/* in apic_id */
	unsigned more;			/* for which there was no room */
	uint32_t apic_id[CPUS_MAX];
};

/*
 * Reads the tables that the root pointer (size bytes of it; 0: none) leads to.  reach(address, n) gives n bytes of physical memory, or NULL where there is nothing to
 * be read.
 * => NULL, or in words why nothing is known.
 */
const char *acpi_find_processors(const void *root_pointer, size_t size, const void *(*reach)(paddr_t, size_t), struct acpi_processors *);
