/*
 * vm/account.c - what the regions of a space add up to, and what bounds it.  See account.h.
 *
 * A call that adds memory accounts for it before anything else has changed, and takes that back if it fails later; so the total is never less than what the
 * regions come to, and two callers on two processors cannot both get the last page.
 */
#include "vm/account.h"
#include "vm/frame.h"

struct overcommit_policy overcommit = { .mode = OVERCOMMIT_GUESS, .ratio = 50 };	/* as Linux starts */
static size_t committed;		/* pages, of all spaces and objects; atomic */

/* ---- committed memory ------------------------------------------------------------------------------------------------------- */

static size_t lesser(size_t a, size_t b) { return a < b ? a : b; }
static size_t beyond(size_t a, size_t b) { return a > b ? a - b : 0; }

size_t commit_limit(void)
{
	size_t kbytes = __atomic_load_n(&overcommit.kbytes, __ATOMIC_ACQUIRE);	/* it and the ratio are written while others ask: kernel/proc_system.c */

	return kbytes ? kbytes / (PAGE_SIZE / 1024) : frame_managed() * __atomic_load_n(&overcommit.ratio, __ATOMIC_RELAXED) / 100;
}

size_t commit_total(void)
{
	return __atomic_load_n(&committed, __ATOMIC_RELAXED);
}

/* Of the limit, Linux keeps a part back for an administrator, and one from each process so that it cannot take all and leave none to whoever would end it. */
static size_t kept_back(const struct space *s)
{
	const size_t admin = ((size_t)8 << 20) >> PAGE_SHIFT, user = ((size_t)128 << 20) >> PAGE_SHIFT, share = frame_managed() / 32;

	return (vm_privileged() ? 0 : lesser(admin, share)) + (s ? lesser(s->mapped / 32, lesser(user, share)) : 0);
}

/* total: with the npages. */
static bool policy_allows(const struct space *s, size_t npages, size_t total)
{
	switch (overcommit.mode) {
	case OVERCOMMIT_ALWAYS:
		return true;
	case OVERCOMMIT_GUESS:
		return npages <= frame_managed();
	default:
		return total + kept_back(s) < commit_limit();
	}
}

int commit_charge(const struct space *s, size_t npages)
{
	if (npages == 0 || policy_allows(s, npages, __atomic_add_fetch(&committed, npages, __ATOMIC_RELAXED)))
		return 0;
	commit_release(npages);
	return -ENOMEM;
}

void commit_release(size_t npages)
{
	__atomic_sub_fetch(&committed, npages, __ATOMIC_RELAXED);
}

/* ---- sums over regions -------------------------------------------------------------------------------------------------------- */

bool region_commits(unsigned rights, unsigned flags)
{
	return (rights & VM_WRITE) && !(flags & (REGION_SHARED | REGION_NORESERVE));
}

/* What RLIMIT_DATA counts: private and writable, but stacks. */
static bool is_data(unsigned rights, unsigned flags)
{
	return (rights & VM_WRITE) && !(flags & (REGION_SHARED | REGION_GROWSDOWN));
}

void account_region(struct space *s, const struct region *r, ssize npages)
{
	s->mapped += (size_t)npages;
	if (s->mapped > s->peak_mapped)
		s->peak_mapped = s->mapped;
	if (is_data(r->rights, r->flags))
		s->data += (size_t)npages;
	if (r->flags & REGION_LOCKED)
		s->locked += (size_t)npages;
	if (r->flags & REGION_COMMITTED) {
		s->committed += (size_t)npages;
		__atomic_add_fetch(&committed, (size_t)npages, __ATOMIC_RELAXED);
	}
}

static bool within(size_t npages, enum vm_limit limit)
{
	return npages <= vm_limit(limit) >> PAGE_SHIFT;
}

bool account_fits(const struct space *s, unsigned rights, unsigned flags, size_t npages)
{
	return within(s->mapped + npages, VM_LIMIT_AS) && (!is_data(rights, flags) || within(s->data + npages, VM_LIMIT_DATA));
}

bool account_may_lock_any(void)
{
	return vm_limit(VM_LIMIT_MEMLOCK) > 0 || vm_privileged();
}

bool account_may_lock(size_t npages)
{
	return within(npages, VM_LIMIT_MEMLOCK) || vm_privileged();
}

int account_more(struct space *s, const struct region *r, size_t npages, struct range_sum gone)
{
	size_t more = r->flags & REGION_COMMITTED ? beyond(npages, gone.committed) : 0;

	if ((r->flags & REGION_LOCKED) && !account_may_lock(s->locked + beyond(npages, gone.locked)))
		return -EAGAIN;
	if (!account_fits(s, r->rights, r->flags, beyond(npages, gone.mapped)))
		return -ENOMEM;
	if (commit_charge(s, more) < 0)
		return -ENOMEM;
	account_region(s, r, (ssize)npages);
	commit_release(more);
	return 0;
}
