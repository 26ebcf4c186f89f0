/*
 * vm/mmap.h - the memory calls.  Each checks and reserves all that it needs, then changes state in a part that cannot fail.
 *
 * All take space->lock.  Addresses and lengths are the user's: any value.  Errors are those of Linux.
 */
#pragma once
#include "vm/space.h"
#include "vm/stats.h"

enum map_flags {		/* Linux's MAP_* */
	MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_SHARED_VALIDATE = 3, MAP_TYPE = 0xf, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20, MAP_32BIT = 0x40,
	MAP_GROWSDOWN = 0x100, MAP_DENYWRITE = 0x800, MAP_EXECUTABLE = 0x1000, MAP_LOCKED = 0x2000, MAP_NORESERVE = 0x4000,
	MAP_POPULATE = 0x8000, MAP_NONBLOCK = 0x10000, MAP_STACK = 0x20000, MAP_HUGETLB = 0x40000, MAP_FIXED_NOREPLACE = 0x100000,
	MAP_LEGACY = 0x7c07f9f3,	/* the flags that are older than MAP_SHARED_VALIDATE, which refuses others: MAP_FIXED_NOREPLACE, MAP_SYNC */
};

/*
 * mmap(2).  object is the file's (the caller checked that it may be mapped with these rights) or NULL for anonymous memory; offset in bytes.  The region takes a
 * reference of its own.  rights may have VM_NOWRITE: a shared mapping that mprotect must not make writable (the file was opened read-only).
 * Returns the address or a negative errno (test with (ssize)r < 0 && r >= -4095).
 */
vaddr_t vm_mmap(struct space *, vaddr_t hint, size_t length, unsigned rights, unsigned flags, struct object *, uint64_t offset);
int vm_munmap(struct space *, vaddr_t start, size_t length);
/* shmdt(2): takes out what is left of the first mapping, laid out from `base`, of an object that is watched; -EINVAL: there is none. */
int vm_detach(struct space *, vaddr_t base);
/* mprotect(2); prot: rights, and what else Linux knows, PROT_SEM having no meaning. */
enum { PROT_SEM = 8, PROT_GROWSDOWN = 0x01000000, PROT_GROWSUP = 0x02000000 };
int vm_mprotect(struct space *, vaddr_t start, size_t length, unsigned long prot);
/* New size of an object that may be mapped: pages beyond it go from all mappings, private copies too.  Takes the locks of other spaces: none is held. */
void vm_truncate(struct object *, uint64_t size);
/* A hole in an object without a pager: the bytes [from, to) become zeros, their pages go from all mappings; private copies stay.  Locks as above. */
void vm_punch(struct object *, uint64_t from, uint64_t to);

/* remap_file_pages(2): a stretch of one shared mapping shows the object's pages from index on. */
int vm_remap_pages(struct space *, vaddr_t start, vaddr_t end, uint64_t index);

enum mremap_flags { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4 };
/* mremap(2): the address, or a negative errno. */
vaddr_t vm_mremap(struct space *, vaddr_t from, size_t old_size, size_t new_size, unsigned flags, vaddr_t to);

enum madvice {			/* Linux's MADV_* */
	MADV_NORMAL = 0, MADV_RANDOM = 1, MADV_SEQUENTIAL = 2, MADV_WILLNEED = 3, MADV_DONTNEED = 4, MADV_FREE = 8, MADV_REMOVE = 9,
	MADV_DONTFORK = 10, MADV_DOFORK = 11, MADV_HUGEPAGE = 14, MADV_NOHUGEPAGE = 15,
	MADV_DONTDUMP = 16, MADV_DODUMP = 17, MADV_WIPEONFORK = 18, MADV_KEEPONFORK = 19, MADV_COLD = 20, MADV_PAGEOUT = 21,
	MADV_POPULATE_READ = 22, MADV_POPULATE_WRITE = 23, MADV_DONTNEED_LOCKED = 24,
};
/* madvise(2); who: the process's fault counters, for MADV_POPULATE.  May sleep without the lock. */
int vm_madvise(struct space *, vaddr_t start, size_t length, int advice, struct fault_stats *who);
enum mlock_flags { MLOCK_ONFAULT = 1 };
enum mlockall_flags { MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4 };
/* mlock2(2), munlock(2), mlockall(2), munlockall(2).  They fetch pages without the lock: may sleep. */
int vm_mlock(struct space *, vaddr_t start, size_t length, enum mlock_flags, struct fault_stats *who);
int vm_munlock(struct space *, vaddr_t start, size_t length);
int vm_mlockall(struct space *, unsigned flags, struct fault_stats *who);
void vm_munlockall(struct space *);

/* Fetches each page of [start, end) as a touch would, without signals: -EINVAL: no right; -EFAULT: it cannot be read; -ENOMEM: no memory, or nothing is mapped. */
enum fault_access;
int vm_touch(struct space *, vaddr_t start, vaddr_t end, enum fault_access, struct fault_stats *who);
/* Fetches what is mapped in [start, end), or only what is locked there, writable private pages as for writing; returns the first error of vm_touch, and goes on if it can. */
enum populate { POPULATE_MAPPED, POPULATE_LOCKED };
int vm_populate(struct space *, vaddr_t start, vaddr_t end, enum populate, struct fault_stats *who);
/* mincore(2) for npages from start (page-aligned): one byte each, of as many as are mapped without a gap; -ENOMEM: none. */
ssize vm_mincore(struct space *, vaddr_t start, size_t npages, unsigned char *to);
/* The NUMA policy of a range, packed in six bits (kernel/sys_mempolicy.c), and that at an address: -EFAULT: not all is mapped; -ENOMEM. */
int vm_set_policy(struct space *, vaddr_t start, vaddr_t end, unsigned policy);
int vm_policy(struct space *, vaddr_t at);
/* msync(2): with MS_SYNC what is mapped is written back; -ENOMEM: not all is mapped; -EBUSY: a part is locked, and MS_INVALIDATE is among the flags. */
enum msync_flags { MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4 };
int vm_msync(struct space *, vaddr_t start, size_t length, unsigned flags);
/* Writes back what was written to pages first to last of the object, to those that [start, end) maps, or to any file.  Take the locks of other spaces: none is held. */
void vm_writeback(struct object *, uint64_t first, uint64_t last);
void vm_writeback_range(struct space *, vaddr_t start, vaddr_t end);
void vm_sync(void);
/* brk(2): the new break, or the old one if it cannot be moved. */
vaddr_t vm_brk(struct space *, vaddr_t to);
/* The first stack: grows down from top to at most space->stack_limit; 0, or -ENOMEM, also when there is no room for its first `initial` bytes. */
int vm_map_stack(struct space *, vaddr_t top, size_t initial, unsigned rights);
/* The brk area starts here (exec). */
void vm_set_brk(struct space *, vaddr_t start);
