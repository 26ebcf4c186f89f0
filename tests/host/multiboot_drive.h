/* tests/host/multiboot_drive.h - the Multiboot2 parser on any bytes, and what must hold after that; for test_multiboot.c and multiboot_fuzz.c. */
#pragma once
#include "arch/x86_64/multiboot.h"

enum { KERNEL_START = 0x200000, KERNEL_END = 0x2f8000 };
#define MEMORY_LIMIT ((paddr_t)1 << 46)

/* Parses these bytes, from an empty physical map on: what multiboot_parse returns. */
const char *drive_parse(const void *info, size_t size, paddr_t limit, struct boot_info *);

/*
 * Parses these bytes and compares what is left of memory with the entries, which are read here in another way.
 * => NULL: all is as it must be; or in words what is not.  *refused: the parser found no memory.
 */
const char *drive_judge(const void *info, size_t size, bool *refused);
