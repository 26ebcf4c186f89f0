/* tests/host/model/calls.c - the memory calls; what each should do is in the reference's terms here. */
#include "inside.h"
#include "files.h"
#include "vm/vm.h"

static const unsigned FIXED = MAP_FIXED | MAP_FIXED_NOREPLACE;
static const unsigned KNOWN_FLAGS = MAP_TYPE | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT | MAP_GROWSDOWN | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK
	| MAP_STACK;

static ssize as_error(vaddr_t at)
{
	return (ssize)at < 0 && (ssize)at >= -4095 ? (ssize)at : 0;
}

/* munmap, and all that act on a range: its errors. */
static int range_errno(vaddr_t at, size_t length, int if_empty, int if_too_long)
{
	if (at & PAGE_MASK)
		return -EINVAL;
	if (length == 0)
		return if_empty;
	return length > USER_MAX ? if_too_long : 0;
}

/* A length that leads beyond user memory, but not around, ends with the arena: the call does what it can, and gives -ENOMEM. */
static bool cut_at_end(vaddr_t at, size_t *length)
{
	if (at & PAGE_MASK || *length <= USER_MAX || at + *length < at)
		return false;
	*length = address_of(arena_pages) - at;
	return true;
}

/* A stack wants this many pages free below it. */
static size_t guard_above(const struct ref_process *r, size_t page)
{
	size_t next = ref_next(r, page);

	return next < r->npages && r->page[next].stack ? REF_GUARD_PAGES : 0;
}

/* ---- mmap ------------------------------------------------------------------------------------------------------------------------- */

struct mmap_call { vaddr_t hint; size_t length; unsigned rights, flags, file; size_t index; };

static int mmap_errno(const struct mmap_call *c)
{
	unsigned type = c->flags & MAP_TYPE;

	if ((type != MAP_PRIVATE && type != MAP_SHARED && (type != MAP_SHARED_VALIDATE || !c->file)) || c->length == 0)
		return -EINVAL;
	if (c->flags & MAP_GROWSDOWN && (c->file || type != MAP_PRIVATE))
		return -EINVAL;
	if (c->length > USER_MAX - USER_MIN)
		return -ENOMEM;
	if (type == MAP_SHARED_VALIDATE && c->flags & ~MAP_LEGACY)
		return -EOPNOTSUPP;
	return c->flags & FIXED && c->hint & PAGE_MASK ? -EINVAL : 0;
}

/* The mapping's first page; false: no object is left for it. */
static bool mapping(const struct mmap_call *c, struct ref_page *what)
{
	bool shared = (c->flags & MAP_TYPE) != MAP_PRIVATE;
	int object = c->file ? (int)c->file - 1 : -1;

	if (!c->file && shared && (object = ref_object_create(FILES, pages_in(c->length) << PAGE_SHIFT)) < 0)
		return false;
	*what = (struct ref_page){ .mapped = true, .shared = shared, .stack = c->flags & MAP_GROWSDOWN, .locked = c->flags & MAP_LOCKED,
		.never_written = c->rights & VM_NOWRITE, .rights = c->rights & VM_RIGHTS, .object = (int16_t)object,
		.index = c->file ? (unsigned)c->index : 0 };
	return true;
}

/* Is the place that was chosen a right one? */
static void judge_place(const struct ref_process *r, const struct mmap_call *c, vaddr_t at, size_t n)
{
	size_t page = page_of(at), hinted = page_of(c->hint);

	if (at & PAGE_MASK || at < USER_MIN || page + n > arena_pages)
		differ("mmap gives %lx", at);
	if (!(c->flags & MAP_FIXED) && !ref_is_free(r, page, n))
		differ("mmap gives %lx, which is in use", at);
	if (!c->hint || at == page_floor(c->hint))
		return;
	if (c->flags & FIXED || (!(c->flags & MAP_32BIT) && ref_is_free(r, hinted, n + guard_above(r, hinted))))
		differ("mmap gives %lx where %lx was asked for and is free", at, c->hint);
}

enum outcome op_mmap(struct process *p, const unsigned long *a)
{
	struct mmap_call c = { .hint = arena_address(a[0]), .rights = a[2] & VM_RIGHTS, .flags = (unsigned)a[3] & KNOWN_FLAGS, .file = a[4] % (FILES + 1),
		.index = a[5] % FILE_PAGES };
	struct ref_page what;

	c.length = arena_clip(c.hint, a[1]);
	if (!(c.flags & FIXED) && a[0] == 0)
		c.hint = 0;
	if (c.file && c.file - 1 == FILE_READ && (c.flags & MAP_TYPE) != MAP_PRIVATE)
		c.rights = (c.rights & ~(unsigned)VM_WRITE) | VM_NOWRITE;
	int error = mmap_errno(&c);
	if (!error && !mapping(&c, &what))
		return OUT_NOTHING;

	vaddr_t at = vm_mmap(p->space, c.hint, c.length, c.rights, c.file ? c.flags & ~(unsigned)MAP_ANONYMOUS : c.flags | MAP_ANONYMOUS,
		c.file ? file[c.file - 1].object : NULL, (uint64_t)c.index << PAGE_SHIFT);
	ssize got = as_error(at);
	size_t n = pages_in(c.length);
	if (error)
		return expect_error("mmap", got, error);
	if (c.flags & FIXED)
		ref_changed(p->ref, page_of(c.hint), n);
	if (c.flags & MAP_FIXED_NOREPLACE && !ref_is_free(p->ref, page_of(c.hint), n))
		return expect_error("mmap", got, -EEXIST);
	if (got) {
		bool room = c.flags & (FIXED | MAP_32BIT) ? c.flags & FIXED : ref_has_gap(p->ref, n, arena_pages, REF_GUARD_PAGES);
		return expect_error("mmap", got, room ? 0 : -ENOMEM);
	}
	judge_place(p->ref, &c, at, n);
	ref_map(p->ref, page_of(at), n, what);
	return OUT_OK;
}

/* ---- munmap, mprotect ---------------------------------------------------------------------------------------------------------------- */

enum outcome op_munmap(struct process *p, const unsigned long *a)
{
	vaddr_t at = arena_address(a[0]);
	size_t length = arena_clip(at, a[1]);
	int error = vm_munmap(p->space, at, length), expected = range_errno(at, length, -EINVAL, -EINVAL);

	if (!expected)
		ref_changed(p->ref, page_of(at), pages_in(length));
	if (!error && !expected)
		ref_unmap(p->ref, page_of(at), pages_in(length));
	return expect_error("munmap", error, expected);
}

/* The rights of the first mapped pages of [page, page + n) as the regions have them: are they all these? */
static bool protected_already(struct process *p, size_t page, size_t n, unsigned rights)
{
	for (size_t end = page + n; page < end; page++) {
		struct region *r = region_find(&p->space->regions, address_of(page));

		if (!r || r->rights != rights)
			return false;
	}
	return true;
}

enum outcome op_mprotect(struct process *p, const unsigned long *a)
{
	vaddr_t at = arena_address(a[0]);
	size_t length = arena_clip(at, a[1]), page = page_of(at), n, good = 0;
	unsigned rights = a[2] & VM_RIGHTS;
	size_t asked = length;
	bool cut = cut_at_end(at, &length);
	if (cut && rights & VM_WRITE) {			/* what lies above the arena is not to count as committed */
		asked = length;
		cut = false;
	}
	int error = vm_mprotect(p->space, at, asked, rights);
	int expected = range_errno(at, length, 0, -ENOMEM);

	n = pages_in(length);
	if (expected || length == 0)
		return expect_error("mprotect", error, expected);
	ref_changed(p->ref, page, n);
	while (good < n && p->ref->page[page + good].mapped && !(p->ref->page[page + good].never_written && rights & VM_WRITE))
		good++;
	/* 'No memory' is also what it says of a hole, behind which nothing is changed: was it refused before it began? */
	if (error == -ENOMEM && memory_was_refused() && !protected_already(p, page, good, rights))
		return OUT_REFUSED;
	expected = ref_protect(p->ref, page, n, rights);
	return expect_error("mprotect", error, expected ? expected : cut ? -ENOMEM : 0);
}

/* ---- mremap -------------------------------------------------------------------------------------------------------------------------- */

struct mremap_call { vaddr_t at, to; size_t page, target, old, new; unsigned flags; };

static int mremap_errno(const struct mremap_call *c)
{
	const unsigned known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	bool fixed = c->flags & MREMAP_FIXED, dontunmap = c->flags & MREMAP_DONTUNMAP;

	if (c->flags & ~known || ((fixed || dontunmap) && !(c->flags & MREMAP_MAYMOVE)) || (dontunmap && c->old != c->new))
		return -EINVAL;
	if (c->at & PAGE_MASK || c->new == 0)
		return -EINVAL;
	if ((fixed || dontunmap) && (c->to & PAGE_MASK || (c->target < c->page + c->old && c->page < c->target + c->new)))
		return -EINVAL;
	return 0;
}

/* What there is to move: errors of the mapping. */
static int mremap_mapping_errno(struct process *p, const struct mremap_call *c)
{
	struct region *r = region_find(&p->space->regions, c->at);

	if (!p->ref->page[c->page].mapped)
		return -EFAULT;
	if (c->old == 0)
		return p->ref->page[c->page].shared ? 0 : -EINVAL;
	size_t part = c->new > c->old ? c->old : c->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? c->new : 0;
	if (r->end - c->at < part << PAGE_SHIFT)
		return -EFAULT;			/* what moves, or grows, is not one mapping */
	return 0;
}

/* Must it stay where it is, may it move, what if it cannot?  0: it succeeds. */
static int mremap_room_errno(struct process *p, const struct mremap_call *c, bool grows_in_place)
{
	if (c->flags & MREMAP_FIXED || (!(c->flags & MREMAP_DONTUNMAP) && ((c->new <= c->old) || grows_in_place)))
		return 0;
	return c->flags & MREMAP_MAYMOVE && ref_has_gap(p->ref, c->new, arena_pages, REF_GUARD_PAGES) ? 0 : -ENOMEM;
}

static bool can_grow(struct process *p, const struct mremap_call *c)
{
	struct region *r = region_find(&p->space->regions, c->at);
	size_t end = c->page + c->old;

	return c->old > 0 && c->new > c->old && c->page + c->new <= arena_pages && page_of(r->end) == end
		&& ref_is_free(p->ref, end, c->new - c->old + guard_above(p->ref, end));
}

enum outcome op_mremap(struct process *p, const unsigned long *a)
{
	struct mremap_call c = { .at = arena_address(a[0]), .to = arena_address(a[4]), .flags = (unsigned)a[3] };
	size_t old_size = arena_clip(c.at, a[1]), new_size = arena_clip(c.to, a[2]);

	c.page = page_of(c.at), c.target = page_of(c.to), c.old = pages_in(old_size), c.new = pages_in(new_size);
	if (old_size > USER_MAX || new_size > USER_MAX)
		return expect_error("mremap", as_error(vm_mremap(p->space, c.at, old_size, new_size, c.flags, c.to)), -EINVAL);
	int error = mremap_errno(&c);
	if (!error)
		error = mremap_mapping_errno(p, &c);
	bool grows = !error && can_grow(p, &c);
	if (!error)
		error = mremap_room_errno(p, &c, grows);
	ref_changed(p->ref, c.page, c.old);
	ref_changed(p->ref, c.target, c.new);

	vaddr_t at = vm_mremap(p->space, c.at, old_size, new_size, c.flags, c.to);
	size_t got = page_of(at);
	if (error || as_error(at)) {
		/* A gap that is large enough only without a stack's guard may be taken or not. */
		if (!(error == -ENOMEM && !as_error(at)))
			return expect_error("mremap", as_error(at), error);
		error = 0;
	}
	if (at != c.at || (c.old == 0 && c.flags & MREMAP_FIXED)) {
		if (c.flags & MREMAP_FIXED ? at != c.to : got + c.new > arena_pages || !ref_is_free(p->ref, got, c.new) || grows)
			differ("mremap gives %lx", at);
		ref_move(p->ref, c.page, c.old, got, c.new, c.flags & MREMAP_DONTUNMAP);
	} else if (c.new < c.old) {
		ref_unmap(p->ref, c.page + c.new, c.old - c.new);
	} else if (c.new > c.old) {
		if (!grows)
			differ("mremap grows over something");
		ref_map(p->ref, c.page + c.old, c.new - c.old, ref_continued(&p->ref->page[c.page], c.old));
	}
	return OUT_OK;
}

/* ---- advice, looking ------------------------------------------------------------------------------------------------------------------ */

static bool is_hint(unsigned long advice)
{
	return advice <= MADV_WILLNEED || (advice >= MADV_HUGEPAGE && advice <= MADV_DODUMP);
}

/* Advice about the pages that are mapped; ends with -EINVAL at one for which it is not meant. */
static int advise(struct ref_process *r, size_t page, size_t n, unsigned long advice)
{
	int error = ref_mapped(r, page, n) == n ? 0 : -ENOMEM;

	for (size_t i = 0; i < n; i++) {
		struct ref_page *p = &r->page[page + i];
		bool anonymous = p->object < 0;

		if (!p->mapped)
			continue;
		switch (advice) {
		case MADV_FREE: case MADV_DONTNEED: case MADV_DONTNEED_LOCKED:
			if ((p->locked && advice != MADV_DONTNEED_LOCKED) || (!anonymous && advice == MADV_FREE))
				return -EINVAL;
			ref_discard(r, page + i, 1);
			break;
		case MADV_COLD: case MADV_PAGEOUT:
			if (p->locked)
				return -EINVAL;
			break;
		case MADV_DONTFORK: case MADV_DOFORK:
			p->kept_back = advice == MADV_DONTFORK;
			break;
		case MADV_WIPEONFORK: case MADV_KEEPONFORK:
			if (advice == MADV_WIPEONFORK && !anonymous)
				return -EINVAL;
			p->wiped = advice == MADV_WIPEONFORK;
		}
	}
	return error;
}

/* MADV_REMOVE: shared pages of objects without a pager become zeros; ends at what cannot be written or is none of these. */
static int remove_pages(struct ref_process *r, size_t page, size_t n)
{
	int error = ref_mapped(r, page, n) == n ? 0 : -ENOMEM;

	for (size_t i = page; i < page + n; i++) {
		const struct ref_page *p = &r->page[i];

		if (!p->mapped)
			continue;
		if (p->object < 0 || p->locked)
			return -EINVAL;
		if (!p->shared || p->never_written)
			return -EACCES;
		if (p->object < FILES && file_has_pager((unsigned)p->object))
			return -EOPNOTSUPP;
		ref_punch((unsigned)p->object, (uint64_t)p->index << PAGE_SHIFT, ((uint64_t)p->index + 1) << PAGE_SHIFT);
	}
	return error;
}

/* What touching each page would come to. */
static int populate(struct ref_process *r, size_t page, size_t n, unsigned right)
{
	for (size_t i = 0; i < n; i++)
		switch (ref_access(r, page + i, right)) {
		case REF_OK:          break;
		case REF_NOT_MAPPED:  return -ENOMEM;
		case REF_NOT_ALLOWED: return -EINVAL;
		default:              return -EFAULT;
		}
	return 0;
}

/* Private pages that were populated for writing are the process's own from then on: how many were, if memory was refused, only the kernel knows. */
static void take_populated(struct process *p, size_t page, size_t n)
{
	for (size_t i = page; i < page + n; i++) {
		pfn_t pfn = mmu_query(&p->space->mmu, address_of(i)).pfn;

		if (!p->ref->page[i].shared && pfn != PFN_NONE && pfn != zero_frame && page_type(pages[pfn]) != PAGE_RECORD)
			ref_writable(p->ref, i);
	}
}

enum outcome op_madvise(struct process *p, const unsigned long *a)
{
	vaddr_t at = arena_address(a[0]);
	bool populates = a[2] == MADV_POPULATE_READ || a[2] == MADV_POPULATE_WRITE;
	/* Between two pages that are populated another thread may change the first: what was copied then is not to be known. */
	size_t length = populates && running->threads > 1 ? a[1] % PAGE_SIZE : arena_clip(at, a[1]), page = page_of(at), n;
	bool acts = populates || (a[2] >= MADV_FREE && a[2] <= MADV_DOFORK) || (a[2] >= MADV_WIPEONFORK && a[2] <= MADV_DONTNEED_LOCKED) || a[2] == MADV_DONTNEED;
	bool alone = a[2] != MADV_WILLNEED || running->threads == 1;	/* it reads, while another may change the mappings */
	size_t asked = length;
	bool cut = cut_at_end(at, &length);
	if (cut && a[2] != MADV_DONTNEED) {		/* what lies above the arena is to stay as it is */
		asked = length;
		cut = false;
	}
	int error = vm_madvise(p->space, at, asked, alone ? (int)a[2] : MADV_NORMAL, NULL);

	if (error == -EAGAIN && memory_was_refused())
		return OUT_REFUSED;		/* the tables at the edges could not be made its own: nothing has been done */
	if (!acts && !is_hint(a[2]))
		return expect_error("madvise", error, -EINVAL);
	int expected = range_errno(at, length, 0, -EINVAL);
	n = pages_in(length);
	if (expected || length == 0)
		return expect_error("madvise", error, expected);
	ref_changed(p->ref, page, n);
	if (populates) {
		expected = populate(p->ref, page, n, a[2] == MADV_POPULATE_WRITE ? REF_WRITE : REF_READ);
		take_populated(p, page, n);
		if (error != expected && ((error == -EFAULT && pager_failed()) || running->threads > 1))
			return OUT_UNREADABLE;		/* or another has changed something meanwhile */
	} else if (a[2] == MADV_REMOVE) {
		expected = remove_pages(p->ref, page, n);
	} else {
		expected = advise(p->ref, page, n, a[2]);
	}
	return expect_error("madvise", error, expected ? expected : cut ? -ENOMEM : 0);
}

enum outcome op_mincore(struct process *p, const unsigned long *a)
{
	static unsigned char resident[REF_PAGES];
	size_t page = page_of(arena_address(a[0])), n = a[1] < arena_pages - page ? a[1] : arena_pages - page;
	size_t mapped = ref_mapped(p->ref, page, n);
	ssize told = vm_mincore(p->space, address_of(page), n, resident);

	for (ssize i = 0; i < told; i++) {
		bool present = mmu_query(&p->space->mmu, address_of(page + (size_t)i)).pfn != PFN_NONE;
		if (p->ref->page[page + (size_t)i].object < 0 ? resident[i] != present : present && resident[i] != 1)
			differ("mincore says %d of page %lx", resident[i], address_of(page + (size_t)i));
	}
	return expect_error("mincore", (int)told, mapped || !n ? (int)mapped : -ENOMEM);
}

/* Does the page's region say so? */
static bool is_locked(struct process *p, size_t page)
{
	return region_find(&p->space->regions, address_of(page))->flags & REGION_LOCKED;
}

/* What fetching each page comes to: private ones that may be written as if they were. */
static int fetch(const struct ref_process *r, size_t page, size_t n)
{
	for (size_t i = page; i < page + n; i++)
		if (ref_access(r, i, r->page[i].rights & REF_WRITE && !r->page[i].shared ? REF_WRITE : REF_READ) != REF_OK)
			return -ENOMEM;
	return 0;
}

/* mlock, mlock2 with MLOCK_ONFAULT, munlock: marks the pages up to a hole; then they are fetched, in programs of one thread. */
enum outcome op_mlock(struct process *p, const unsigned long *a)
{
	vaddr_t at = arena_address(a[0]);
	size_t length = arena_clip(at, a[1]), page = page_of(at), n = pages_in(length + (at & PAGE_MASK)), mapped, i;
	unsigned long how = a[2] % 3;
	bool locks = how != 2;

	if (length > USER_MAX)
		return OUT_NOTHING;
	if (how == 0 && running->threads > 1)
		how = MLOCK_ONFAULT;
	int error = locks ? vm_mlock(p->space, at, length, (enum mlock_flags)how, NULL) : vm_munlock(p->space, at, length);
	mapped = ref_mapped(p->ref, page, n);
	ref_changed(p->ref, page, n);
	for (i = 0; i < mapped && is_locked(p, page + i) == locks; i++)
		;
	if (i < mapped && error == -ENOMEM && memory_was_refused())
		return OUT_REFUSED;		/* a split was, and nothing is done */
	for (i = 0; i < mapped; i++)
		p->ref->page[page + i].locked = locks;
	if (how > 0 || mapped < n)
		return expect_error("mlock", error, mapped < n ? -ENOMEM : 0);
	int expected = fetch(p->ref, page, n);
	take_populated(p, page, n);
	if (error == -EAGAIN && memory_was_refused())
		return OUT_REFUSED;
	return error != expected && error == -ENOMEM && pager_failed() ? OUT_UNREADABLE : expect_error("mlock", error, expected);
}

enum outcome op_msync(struct process *p, const unsigned long *a)
{
	vaddr_t at = page_floor(arena_address(a[0]));
	size_t length = arena_clip(at, a[1]), page = page_of(at), n;
	unsigned flags = a[2] % 2 ? MS_ASYNC : MS_SYNC;
	int error = vm_msync(p->space, at, length, flags);
	bool cut = cut_at_end(at, &length);
	int expected = range_errno(at, length, 0, -ENOMEM);

	n = pages_in(length);
	if (expected || length == 0)
		return expect_error("msync", error, expected);
	for (size_t i = page; flags == MS_SYNC && i < page + n; i++) {
		const struct ref_page *r = &p->ref->page[i];
		if (r->mapped && r->shared && r->object < FILES && file_is_written_back((unsigned)r->object))
			compare_disk((unsigned)r->object, r->index, 1);
	}
	return expect_error("msync", error, !cut && ref_mapped(p->ref, page, n) == n ? 0 : -ENOMEM);
}

/* ---- brk -------------------------------------------------------------------------------------------------------------------------------- */

enum outcome op_brk(struct process *p, const unsigned long *a)
{
	const struct ref_page heap = { .mapped = true, .rights = REF_READ | REF_WRITE, .object = -1 };
	vaddr_t from = p->space->brk_start, to = from + a[0] % ((arena_pages / 2) << PAGE_SHIFT);
	size_t old = page_of(page_ceil(p->brk)), new = page_of(page_ceil(to));
	bool possible = new <= old || ref_is_free(p->ref, old, new - old + guard_above(p->ref, old));
	vaddr_t now = vm_brk(p->space, to);

	ref_changed(p->ref, old < new ? old : new, old < new ? new - old : old - new);
	if (now != (possible ? to : p->brk) && !(now == p->brk && memory_was_refused()))
		differ("brk from %lx to %lx gives %lx", p->brk, to, now);
	if (now == p->brk)
		return to == p->brk ? OUT_OK : possible ? OUT_REFUSED : OUT_ENOMEM;
	if (new < old)
		ref_unmap(p->ref, new, old - new);
	else
		ref_map(p->ref, old, new - old, heap);
	p->brk = now;
	return OUT_OK;
}
