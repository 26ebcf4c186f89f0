/*
 * kernel/remote.h - the memory of a process, from the kernel's or another process's side: /proc/PID/mem and its like, process_vm_readv, ptrace.
 *
 * Pages are fetched as a touch would fetch them, and copied through the direct map while the space is locked for reading, so that an entry which allows the access stays
 * what it is.
 */
#pragma once
#include "vm/space.h"

enum remote_access {
	REMOTE_READ, REMOTE_WRITE,		/* as far as the regions allow it */
	REMOTE_PEEK, REMOTE_POKE,		/* a debugger's: also what may not be read, and private memory that may not be written, which gets a copy of its own */
};
/* Between [at, at + n) of the space and kernel memory: the bytes that were moved, up to the first that cannot be reached.  May sleep; no lock is held, the space stays. */
size_t remote_copy(struct space *, vaddr_t at, void *bytes, size_t n, enum remote_access);
