/* tests/host/smp/calls.c - what a thread does in a step: a memory call, on memory of its own or on common memory, or accesses anywhere. */
#include "world.h"
#include "vm/frame.h"
#include "vm/reclaim.h"

struct range { struct place *place; unsigned page, n; bool own; };

static vaddr_t start_of(const struct range *r) { return address_of(r->page); }
static size_t size_of(const struct range *r) { return (size_t)r->n << PAGE_SHIFT; }
static struct view *first_view(const struct range *r) { return &r->place->view[r->page]; }

/* ---- where -------------------------------------------------------------------------------------------------------------------------------- */

/* A space, used by us until leave(). */
static struct place *enter(struct worker *w)
{
	unsigned first = program.spaces && !one_in(w, 3) ? (unsigned)random_below(w, SPACES) : 0;
	struct place *p = &place[first];

	world_lock();
	while (!p->space || p->going)
		p = p + 1 < place + SPACES ? p + 1 : place;
	p->users++;
	world_unlock();
	return p;
}

static void leave(struct place *p)
{
	world_lock();
	p->users--;
	world_unlock();
}

/* A run of our own, or a common one; or a part of it. */
static struct range some_range(struct worker *w, struct place *p)
{
	unsigned wanted = one_in(w, 3) ? program.threads : w->id, i = (unsigned)random_below(w, nruns), tried = 0;

	while (run[i].owner != wanted && tried++ < nruns)
		i = (i + 1) % nruns;
	if (run[i].owner != wanted)
		return (struct range){ p, 0, 0, false };
	struct range r = { p, run[i].first, run[i].n, wanted == w->id };
	if (!one_in(w, 3)) {
		unsigned skip = (unsigned)random_below(w, r.n);
		r.page += skip;
		r.n = 1 + (unsigned)random_below(w, r.n - skip);
	}
	return r;
}

/* Cut down to what is mapped from its start on without a gap: known of our own. */
static void clip_to_mapped(struct range *r)
{
	unsigned n = 0;

	while (n < r->n && r->place->view[r->page + n].mapped && !r->place->view[r->page + n].vague)
		n++;
	if (MODELLED && r->own)
		r->n = n;
}

static void must(struct worker *w, const char *call, ssize got, ssize or)
{
	if (got < 0 && got != -ENOMEM && got != or)
		differ("thread %u: %s gives %ld", w->id, call, (long)got);
}

/* ---- mappings ------------------------------------------------------------------------------------------------------------------------------- */

static unsigned some_rights(struct worker *w)
{
	static const unsigned usual[] = { VM_READ, VM_READ, VM_READ | VM_WRITE };

	return one_in(w, 12) ? 0 : usual[random_below(w, 8) % 3 ? 2 : random_below(w, 3)];
}

/* How a range is to be mapped.  What others change is mapped so that contents are known: a file's private pages only if it is never written. */
static struct view some_mapping(struct worker *w, bool own)
{
	struct view v = { .mapped = true, .rights = some_rights(w), .object = -1 };

	if (one_in(w, program.style == SPREAD ? 2 : 8)) {
		static const int of_own[] = { READ_FILE, READ_FILE, DISK_FILE, MEMORY };

		v.object = own ? of_own[random_below(w, 4)] : one_in(w, 2) ? COMMON_FILE : COMMON_MEMORY;
		v.shared = own ? v.object != READ_FILE : one_in(w, 2);
		v.index = (unsigned)random_below(w, object_npages(v.object) + 2);
		if (v.index >= OBJECT_PAGES)
			v.index = 0;
	}
	return v;
}

static void do_mmap(struct worker *w, struct range r)
{
	struct view v = some_mapping(w, r.own);
	unsigned flags = (v.shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED | (v.object < 0 ? MAP_ANONYMOUS : 0);

	if (v.object >= 0 && r.n > OBJECT_PAGES - v.index)
		r.n = OBJECT_PAGES - v.index;
	struct note note = view_begin(r.place, r.page, r.n, LOSES);
	vaddr_t at = vm_mmap(r.place->space, start_of(&r), size_of(&r), v.rights, flags, v.object >= 0 ? shared_object[v.object].object : NULL,
		(uint64_t)v.index << PAGE_SHIFT);
	must(w, "mmap", at == start_of(&r) ? 0 : (ssize)at, 0);
	for (unsigned i = 0; MODELLED && r.own && at == start_of(&r) && i < r.n; i++) {
		struct view *to = first_view(&r) + i;

		to->mapped = true, to->shared = v.shared, to->vague = false, to->rights = v.rights, to->object = v.object, to->index = v.index + i;
		content_reset(r.place, r.page + i, 1, &note);
	}
	view_end(r.place, r.page, r.n, LOSES, &note);
	say(w, "mmap %u+%u in space %ld, rights %u, object %d%s: %ld", r.page, r.n, (long)(r.place - place), v.rights, v.object, v.shared ? ", shared" : "", (long)(ssize)at);
}

static void set_unmapped(const struct range *r, const struct note *note)
{
	for (unsigned i = 0; MODELLED && r->own && i < r->n; i++) {
		struct view *v = first_view(r) + i;

		v->mapped = v->shared = v->vague = false;
		v->object = -1;
	}
	if (r->own)
		content_reset(r->place, r->page, r->n, note);
}

static void do_munmap(struct worker *w, struct range r)
{
	struct note note = view_begin(r.place, r.page, r.n, LOSES);
	int error = vm_munmap(r.place->space, start_of(&r), size_of(&r));

	must(w, "munmap", error, 0);
	if (!error)
		set_unmapped(&r, &note);
	view_end(r.place, r.page, r.n, LOSES, &note);
	say(w, "munmap %u+%u in space %ld: %d", r.page, r.n, (long)(r.place - place), error);
}

static void do_mprotect(struct worker *w, struct range r)
{
	unsigned rights = some_rights(w);

	clip_to_mapped(&r);
	if (r.n == 0)
		return;
	struct note note = view_begin(r.place, r.page, r.n, KEEPS);
	int error = vm_mprotect(r.place->space, start_of(&r), size_of(&r), rights);
	must(w, "mprotect", error, 0);
	for (unsigned i = 0; MODELLED && r.own && !error && i < r.n; i++)
		first_view(&r)[i].rights = rights;
	view_end(r.place, r.page, r.n, KEEPS, &note);
	say(w, "mprotect %u+%u in space %ld, rights %u: %d", r.page, r.n, (long)(r.place - place), rights, error);
}

/* The start of the range is of one region that lasts so long. */
static void clip_to_region(struct range *r)
{
	const struct view *v = first_view(r);
	unsigned n = 1;

	while (n < r->n && v[n].rights == v->rights && v[n].shared == v->shared && v[n].object == v->object && (v->object < 0 || v[n].index == v->index + n))
		n++;
	r->n = n;
}

static void do_mremap(struct worker *w, struct range r)
{
	struct range to = some_range(w, r.place);
	unsigned flags = MREMAP_MAYMOVE | MREMAP_FIXED | (one_in(w, 3) ? MREMAP_DONTUNMAP : 0);

	clip_to_mapped(&r);
	if (r.n == 0 || to.own != r.own)
		return;
	if (r.own)
		clip_to_region(&r);
	if (to.n < r.n)
		r.n = to.n;
	to.n = r.n;
	if ((r.page < to.page + to.n && to.page < r.page + r.n))
		return;
	struct note note = view_begin(r.place, r.page, r.n, LOSES);
	view_begin(to.place, to.page, to.n, LOSES);
	vaddr_t at = vm_mremap(r.place->space, start_of(&r), size_of(&r), size_of(&to), flags, start_of(&to));
	say(w, "mremap %u+%u to %u in space %ld%s: %ld", r.page, r.n, to.page, (long)(r.place - place), flags & MREMAP_DONTUNMAP ? ", stays mapped" : "", (long)(ssize)at);
	if (at != start_of(&to)) {
		/* What merges is not known here; and common memory may be anything. */
		if ((ssize)at != -ENOMEM && (ssize)at != -EFAULT && !(r.own == false && (ssize)at == -EINVAL))
			differ("thread %u: mremap gives %ld", w->id, (long)(ssize)at);
	} else if (MODELLED && r.own) {
		content_move(r.place, r.page, to.page, r.n, &note);
		for (unsigned i = 0; i < r.n; i++) {
			struct view *from = first_view(&r) + i, *v = first_view(&to) + i;
			v->mapped = true, v->shared = from->shared, v->vague = false, v->rights = from->rights, v->object = from->object, v->index = from->index;
		}
		if (flags & MREMAP_DONTUNMAP)
			content_reset(r.place, r.page, r.n, &note);
		else
			set_unmapped(&r, &note);
	}
	view_end(to.place, to.page, to.n, LOSES, &note);
	view_end(r.place, r.page, r.n, LOSES, &note);
}

static void do_discard(struct worker *w, struct range r)
{
	struct note note = view_begin(r.place, r.page, r.n, LOSES);
	int error = vm_madvise(r.place->space, start_of(&r), size_of(&r), MADV_DONTNEED, NULL);

	say(w, "discards %u+%u in space %ld: %d", r.page, r.n, (long)(r.place - place), error);
	for (unsigned i = r.page; MODELLED && r.own && error != -EAGAIN && i < r.page + r.n; i++)
		if (error != -EINVAL)
			content_reset(r.place, i, 1, &note);
		else
			for (unsigned t = 0; t < program.threads; t++)		/* a part is locked: some went, some did not */
				r.place->view[i].own.slot[t].any = true;
	view_end(r.place, r.page, r.n, LOSES, &note);
}

/* Nothing that can be seen is changed. */
static void do_advise(struct worker *w, struct range r)
{
	static const int advice[] = { MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_POPULATE_WRITE, MADV_WILLNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE };
	int what = advice[random_below(w, sizeof advice / sizeof *advice)], error = vm_madvise(r.place->space, start_of(&r), size_of(&r), what, NULL);

	say(w, "advises %d for %u+%u in space %ld: %d", what, r.page, r.n, (long)(r.place - place), error);
}

static void do_mlock(struct worker *w, struct range r)
{
	int error = one_in(w, 2) ? vm_mlock(r.place->space, start_of(&r), size_of(&r), 0, NULL) : vm_munlock(r.place->space, start_of(&r), size_of(&r));

	say(w, "locks or unlocks %u+%u in space %ld: %d", r.page, r.n, (long)(r.place - place), error);
}

/* ---- spaces ----------------------------------------------------------------------------------------------------------------------------------- */

static void do_fork(struct worker *w, struct place *parent)
{
	struct place *child = place;

	world_lock();
	while (child < place + SPACES && (child->space || child->going))
		child++;
	if (child < place + SPACES)
		child->going = true;		/* reserved */
	world_unlock();
	if (child == place + SPACES)
		return;
	fork_begin(w, parent, child);
	struct space *s = space_fork(parent->space);
	fork_end(w, s);
	say(w, "forks space %ld off %ld%s", (long)(child - place), (long)(parent - place), s ? "" : ": no memory");
	world_lock();
	child->space = s;
	child->users = 0;
	child->going = false;
	world_unlock();
}

/* One that nobody uses. */
static void do_exit(struct worker *w)
{
	struct place *p = &place[1 + random_below(w, SPACES - 1)];

	world_lock();
	bool free = p->space && !p->going && p->users == 0;
	p->going |= free;
	world_unlock();
	if (!free)
		return;
	say(w, "ends space %ld", (long)(p - place));
	space_put(p->space);
	world_lock();
	p->space = NULL;
	p->going = false;
	world_unlock();
}

/* ---- objects ------------------------------------------------------------------------------------------------------------------------------------- */

/* DISK_FILE belongs to thread 0, MEMORY to the next. */
static void do_truncate(struct worker *w)
{
	int n = w->id == 0 ? DISK_FILE : w->id == 1 % program.threads ? MEMORY : COMMON_MEMORY;
	struct shared_object *o = &shared_object[n];
	size_t size = 10 + random_below(w, 90);

	mutex_lock(&o->writer);
	struct note note = object_begin(o, size, OBJECT_PAGES);
	vm_truncate(o->object, size << PAGE_SHIFT);
	if (n == DISK_FILE)
		disk_forget(n, size);
	__atomic_store_n(&o->npages, size, __ATOMIC_RELAXED);
	object_end(o, size, OBJECT_PAGES, &note);
	say(w, "truncates object %d to %zu", n, size);
	mutex_unlock(&o->writer);
}

static void do_punch(struct worker *w)
{
	int n = w->id == 1 % program.threads ? MEMORY : COMMON_MEMORY;
	struct shared_object *o = &shared_object[n];
	size_t first = random_below(w, 60), end = first + 1 + random_below(w, 20);

	mutex_lock(&o->writer);
	struct note note = object_begin(o, first, end);
	vm_punch(o->object, first << PAGE_SHIFT, end << PAGE_SHIFT);
	object_end(o, first, end, &note);
	say(w, "punches object %d, %zu to %zu", n, first, end);
	mutex_unlock(&o->writer);
}

static void do_writeback(struct worker *w)
{
	say(w, "writes back");
	vm_writeback(shared_object[one_in(w, 2) ? DISK_FILE : COMMON_FILE].object, random_below(w, 50), OBJECT_ENDLESS);
}

static void do_transfer(struct worker *w)
{
	int n = (int)random_below(w, OBJECTS);
	bool write = n != READ_FILE && one_in(w, 2);

	access_object(w, n, (unsigned)random_below(w, n == READ_FILE ? OBJECT_PAGES : 100), write ? w->id : (unsigned)random_below(w, program.threads), write);
}

/* ---- accesses --------------------------------------------------------------------------------------------------------------------------------------- */

/* To a page whose state is not known, but that of common memory, nothing is written: what it is a page of would not be known any more either. */
static void do_touch(struct worker *w, struct place *p, unsigned page, bool write)
{
	const struct view *v = &p->view[page];

	if (MODELLED && write && v->vague && v->object < COMMON_FILE && !is_common(page))
		write = false;
	access_word(w, p, page, write || one_in(w, 2) ? w->id : (unsigned)random_below(w, program.threads), write);
}

/* More often than not one that may be used. */
static unsigned some_page(struct worker *w, const struct place *p)
{
	unsigned page = (unsigned)random_below(w, window);

	for (unsigned tries = 0; MODELLED && tries < 4 && !p->view[page].rights; tries++)
		page = (unsigned)random_below(w, window);
	return page;
}

static void do_touches(struct worker *w, struct place *p)
{
	for (unsigned n = 1 + (unsigned)random_below(w, 6); n > 0; n--)
		do_touch(w, p, some_page(w, p), one_in(w, 2));
}

static void do_sweep(struct worker *w, struct place *p)
{
	const struct run *r = &run[random_below(w, nruns)];
	unsigned first = program.style == NARROW ? 0 : r->first, n = program.style == NARROW ? window : r->n;
	bool write = !one_in(w, 3);

	for (unsigned i = first; i < first + n; i++)
		do_touch(w, p, i, write);
}

/* ---- steps ------------------------------------------------------------------------------------------------------------------------------------------ */

static void in_a_space(struct worker *w, struct place *p)
{
	struct range r = some_range(w, p);
	unsigned what = (unsigned)random_below(w, 100);

	if (r.n == 0 || what < 35)
		do_touches(w, p);
	else if (what < (program.style == NARROW ? 70 : 47))
		do_sweep(w, p);
	else if (what < 60)
		do_mmap(w, r);
	else if (what < 65)
		do_munmap(w, r);
	else if (what < 74)
		do_mprotect(w, r);
	else if (what < 79)
		do_mremap(w, r);
	else if (what < 84)
		do_discard(w, r);
	else if (what < 91)
		do_advise(w, r);
	else if (what < 93 && program.style != NARROW)
		do_mlock(w, r);
	else
		do_fork(w, p);
	if (p != place || one_in(w, 4) || !MODELLED)		/* at its end nobody may run a space */
		sim_rest();
}

void do_first(struct worker *w)
{
	for (unsigned i = 0; i < nruns; i++)
		if (run[i].owner == w->id || (run[i].owner == program.threads && w->id == 0))
			do_mmap(w, (struct range){ &place[0], run[i].first, run[i].n, run[i].owner == w->id });
}

/* An allocation of this step is refused; one thread at a time can be treated so. */
static bool refuse_one(struct worker *w)
{
	if (!program.fail || !one_in(w, program.fail) || !MODELLED || alloc_fail_at)
		return false;
	alloc_fail_thread = cpu_current();
	alloc_fail_at = 1 + random_below(w, 6);
	return true;
}

void do_step(struct worker *w)
{
	unsigned what = (unsigned)random_below(w, 100);
	bool refused = refuse_one(w);

	if (what < 80) {
		struct place *p = enter(w);
		in_a_space(w, p);
		leave(p);
	} else if (what < (program.style == NARROW ? 92 : 86)) {
		do_exit(w);
	} else if (what < (program.style == NARROW ? 93 : 92)) {
		do_transfer(w);
	} else if (what < 94) {
		do_truncate(w);
	} else if (what < 96) {
		do_punch(w);
	} else if (what < 98) {
		do_writeback(w);
	} else {
		reclaim_frames(1 + random_below(w, 40));
	}
	if (refused)
		alloc_fail_at = 0;
}
