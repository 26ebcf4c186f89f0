/*
 * abi/faultline.h - what Faultline has and Linux has not: system calls from 1024 up.  For kernel and user programs.
 *
 *   long faultstat(int what, pid_t pid, struct faultstat *to, size_t size)        1024
 *   long vmcheck(struct vmcheck *to, size_t size)                                 1026
 *   long allocfail(unsigned long k, int whose)                                    1027, debug kernels, root
 *
 * Structures carry size and version: the caller gives the size that it knows, the kernel fills at most that and sets .size
 * to what it filled.  New fields come at the end.
 */
#pragma once
#include <stdint.h>

#define SYS_faultstat	1024
#define SYS_vmcheck	1026
#define SYS_allocfail	1027

/* allocfail: the k-th allocation of memory from now on fails, in the kernel.  The result: how far the last request still was from that; 0: it has failed, or there was none. */
enum allocfail_whose { ALLOCFAIL_SELF, ALLOCFAIL_ALL };		/* of the calling thread, which the allocations of a new program count for too; of all */

/* The class of a fault is its final resolution.  docs/fault-path.md describes each. */
enum fault_class {
	FAULT_DEMAND_ZERO, FAULT_ZERO_READ, FAULT_ZERO_UPGRADE, FAULT_SHM_ZERO, FAULT_COW_COPY, FAULT_COW_REUSE, FAULT_TABLE_REUSE,
	FAULT_FILE_MINOR, FAULT_FILE_MAJOR, FAULT_FILE_COW, FAULT_SHARED_WRITE, FAULT_PROTECT_UPGRADE, FAULT_HUGE, FAULT_SPURIOUS,
	FAULT_SEGV, FAULT_BUS, FAULT_OOM,
	FAULT_CLASSES
};
#define FAULT_CLASS_NAMES { "demand-zero", "zero-read", "zero-upgrade", "shm-zero", "cow-copy", "cow-reuse", "table-reuse", \
	"file-minor", "file-major", "file-cow", "shared-write", "protect-upgrade", "huge", "spurious", "segv", "bus", "oom" }

/* Facts beside the class; a fault may have several. */
enum fault_flag {
	FAULT_FLAG_KERNEL,		/* the access was the kernel's, for a system call */
	FAULT_FLAG_GREW,		/* a stack grew for it */
	FAULT_FLAG_UNSHARED,		/* a shared table was copied first */
	FAULT_FLAG_WAITED,		/* it waited for a page that another was reading */
	FAULT_FLAG_READ,		/* its page was read through the pager */
	FAULT_FLAG_AROUND,		/* neighbours were mapped as well */
	FAULT_FLAGS
};
#define FAULT_FLAG_NAMES { "kernel-mode", "stack-grew", "table-unshared", "waited", "page-read", "neighbours" }

enum faultstat_what {
	FAULTSTAT_SELF,			/* the calling process; pid is ignored */
	FAULTSTAT_CHILDREN,		/* its children that have been waited for, and theirs */
	FAULTSTAT_PROCESS,		/* the process pid */
	FAULTSTAT_SYSTEM,		/* all since boot */
};

#define FAULTSTAT_VERSION 1
struct faultstat {
	uint32_t size, version;			/* bytes filled; FAULTSTAT_VERSION */
	uint64_t count[32];			/* by enum fault_class */
	uint64_t cost[32];			/* cycles in the handler, by class (instructions under an instruction-counting emulator) */
	uint64_t flags[16];			/* by enum fault_flag */
	uint64_t neighbours;			/* pages mapped beyond the one that was asked for */
	uint64_t pages_read;			/* pages read through a pager (system-wide only: 0 otherwise, see flags) */
	uint64_t tlb_pages, tlb_full, tlb_loads;	/* system-wide only: entries flushed singly, whole flushes, address-space loads */
	uint64_t pages_scanned, pages_reclaimed;	/* system-wide only: pages of files that reclaim looked at, and gave back */
	uint64_t tlb_interrupts;		/* system-wide only: processors that were interrupted for a flush */
};

#define VMCHECK_VERSION 1
/* vmcheck walks everything and compares; a discrepancy is printed on the console and counted. All sizes in bytes unless they say frames. */
struct vmcheck {
	uint32_t size, version;
	uint64_t errors;			/* discrepancies: 0 is right */
	uint64_t ram_frames;			/* usable by the memory map */
	uint64_t module_frames;			/* of those, the image's */
	uint64_t managed_frames, free_frames;
	uint64_t anon_frames, table_frames, object_frames, borrowed_frames, kernel_frames, heap_frames, stack_frames;
	uint64_t stacks_cached;			/* kernel stacks kept for reuse; their frames are in stack_frames */
	uint64_t heap_bytes, heap_objects;
	uint64_t page_array_bytes, page_array_table_bytes;
	uint64_t records_file, records_shared, records_pinned, records_cut;	/* live page records, by reason */
	uint64_t objects, spaces, regions;
	uint64_t tasks, open_files;		/* filled by kernel/ and fs/ */
	uint64_t reserve_frames, reserve_used;	/* the emergency reserve, and how often it was taken from */
	uint64_t vnodes;			/* live vnodes (fs/) */
	uint64_t kernel_tables;			/* of table_frames, those of the kernel's own ranges, which stay as many as there were at most */
};
