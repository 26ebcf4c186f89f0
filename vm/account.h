/*
 * vm/account.h - what the regions of a space add up to, and what bounds it: RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, and the overcommit policy.
 *
 * Committed is memory that was promised and may have to be found: private writable regions, shared anonymous memory from its creation on, tmpfs page by
 * page.  What its owner asked not to be counted (MAP_NORESERVE) is not.  vm_check compares all sums with the regions and objects.
 *
 * => space->lock is held where a space is given; the total of committed pages is atomic.
 */
#pragma once
#include "vm/space.h"

/* Upcalls, about whoever makes the call: a limit in bytes (SIZE_MAX: none); may it go beyond RLIMIT_MEMLOCK, and use what is kept for an administrator? */
enum vm_limit { VM_LIMIT_DATA, VM_LIMIT_MEMLOCK, VM_LIMIT_AS };
size_t vm_limit(enum vm_limit);
bool vm_privileged(void);

/* Linux's three policies; kbytes, if not 0, stands in place of the ratio (percent of all memory).  Protected by: single words, written by /proc/sys/vm alone. */
enum overcommit { OVERCOMMIT_GUESS, OVERCOMMIT_ALWAYS, OVERCOMMIT_NEVER };
extern struct overcommit_policy { unsigned mode, ratio; size_t kbytes; } overcommit;

/* Commits npages more, on behalf of a space (or NULL); -ENOMEM: the policy forbids it.  commit_release gives them back. */
int  commit_charge(const struct space *, size_t npages);
void commit_release(size_t npages);
size_t commit_total(void);
size_t commit_limit(void);

/* Does a region with these rights and flags (enum region_flags) commit memory from now on? */
bool region_commits(unsigned rights, unsigned flags);
/* npages of region r have come, or gone (negative): adjusts all sums, the total of committed pages among them.  Checks nothing. */
void account_region(struct space *, const struct region *r, ssize npages);
/* Pages that are mapped, and how many of these are committed and locked. */
struct range_sum { size_t mapped, committed, locked; };
/*
 * npages of region r are to come, while others will go: checked, and then adjusted as above for those that come.
 * => -EAGAIN: more locked memory than RLIMIT_MEMLOCK; -ENOMEM: RLIMIT_AS, RLIMIT_DATA, or the overcommit policy.
 */
int account_more(struct space *, const struct region *r, size_t npages, struct range_sum gone);
/* RLIMIT_AS and RLIMIT_DATA: may npages with these rights and flags come? */
bool account_fits(const struct space *, unsigned rights, unsigned flags, size_t npages);
/* RLIMIT_MEMLOCK: may anything be locked (-EPERM else); may so many pages in all? */
bool account_may_lock_any(void);
bool account_may_lock(size_t npages);
