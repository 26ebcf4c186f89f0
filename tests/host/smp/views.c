/* tests/host/smp/views.c - what may be known of memory that others change: see world.h. */
#include <string.h>
#include "world.h"
#include "vm/fault.h"
#include "vm/uio.h"

/* ---- values ------------------------------------------------------------------------------------------------------------------------- */

enum { STAMP = 0xc5 };

static uint64_t new_stamp(struct worker *w) { return (uint64_t)STAMP << 56 | (uint64_t)w->id << 48 | ++w->issued; }
static bool is_stamp(uint64_t v, unsigned thread) { return v >> 48 == ((uint64_t)STAMP << 8 | thread); }
static vaddr_t word_offset(unsigned slot) { return (slot + 1) * 1000 & ~(vaddr_t)7; }

static void add(struct slot *s, uint64_t value)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->can[i] == value)
			return;
	if (s->n == VALUES)
		s->any = true;
	else
		s->can[s->n++] = value;
}

static void set(struct slot *s, uint64_t value)
{
	s->n = 1;
	s->can[0] = value;
	s->any = false;
}

static bool can_be(const struct slot *s, uint64_t value)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->can[i] == value)
			return true;
	return false;
}

/* Has this thread written it at all, to any page?  Or is it what was there first, zero or a file's? */
static bool plausible(unsigned slot, uint64_t value)
{
	if (is_stamp(value, slot))
		return (uint32_t)value <= worker[slot].issued;
	return value == 0 || value == file_word((int)(value >> 40 & 0xff), (unsigned)(value >> 16 & 0xffffff), slot);
}

/* ---- contents ------------------------------------------------------------------------------------------------------------------------- */

static uint64_t first_word(const struct view *v, unsigned slot)
{
	return v->object >= 0 ? file_word(v->object, v->index, slot) : 0;
}

static struct content *content_of(struct view *v)
{
	return v->shared ? &shared_object[v->object].page[v->index] : &v->own;
}

/* What is on its way to the page may be in what it shows now. */
static void add_flights(struct place *p, unsigned page, struct content *to)
{
	for (unsigned t = 0; t < program.threads; t++)
		if (worker[t].flight.on && worker[t].flight.place == p && worker[t].flight.page == page)
			add(&to->slot[t], worker[t].flight.stamp);
}

static struct note take_note(void)
{
	struct note note = { { 0 } };

	for (unsigned t = 0; MODELLED && t < program.threads; t++)
		note.issued[t] = worker[t].issued - worker[t].flight.on;
	return note;
}

/* The slot has its first value, or one that was written since the note. */
static void reset_slot(struct slot *s, unsigned thread, uint64_t first, const struct note *note)
{
	struct slot old = *s;

	set(s, first);
	s->any = old.any && worker[thread].issued != note->issued[thread];
	for (unsigned i = 0; i < old.n; i++)
		if (is_stamp(old.can[i], thread) && (uint32_t)old.can[i] > note->issued[thread])
			add(s, old.can[i]);
}

struct note view_begin(struct place *p, unsigned page, unsigned n, enum change change)
{
	for (unsigned i = page; MODELLED && i < page + n; i++) {
		struct view *v = &p->view[i];
		v->changes++;
		v->own.losses += change == LOSES;
		add_flights(p, i, content_of(v));
	}
	return take_note();
}

/* What was written to the page since the note, and is known as private, may be what the object has. */
static void add_since(struct view *v, const struct note *note)
{
	for (unsigned t = 0; t < program.threads; t++) {
		struct slot *to = &content_of(v)->slot[t], old = v->own.slot[t];

		reset_slot(&old, t, 0, note);
		for (unsigned i = 1; i < old.n; i++)
			add(to, old.can[i]);
		to->any |= old.any;
	}
}

void view_end(struct place *p, unsigned page, unsigned n, enum change change, const struct note *note)
{
	for (unsigned i = page; MODELLED && i < page + n; i++) {
		struct view *v = &p->view[i];
		v->changes++;
		v->own.losses += change == LOSES;
		add_flights(p, i, content_of(v));
		if (v->shared)
			add_since(v, note);
	}
}

void content_reset(struct place *p, unsigned page, unsigned n, const struct note *note)
{
	for (unsigned i = page; MODELLED && i < page + n; i++)
		for (unsigned t = 0; t < program.threads; t++)
			reset_slot(&p->view[i].own.slot[t], t, first_word(&p->view[i], t), note);
}

void content_move(struct place *p, unsigned from, unsigned to, unsigned n, const struct note *note)
{
	for (unsigned i = 0; MODELLED && i < n; i++) {
		struct content source = p->view[from + i].own, *target = &p->view[to + i].own;

		add_flights(p, from + i, &source);
		add_flights(p, from + i, content_of(&p->view[to + i]));
		for (unsigned t = 0; t < program.threads; t++) {
			struct slot old = target->slot[t];

			reset_slot(&old, t, 0, note);
			for (unsigned k = 1; k < old.n; k++)		/* written to the target's address meanwhile */
				add(&source.slot[t], old.can[k]);
			source.slot[t].any |= old.any;
			source.slot[t].writes = old.writes;
			target->slot[t] = source.slot[t];
		}
	}
}

struct note object_begin(struct shared_object *o, size_t first, size_t end)
{
	o->changes += MODELLED;
	for (size_t i = first; MODELLED && i < end; i++)
		o->page[i].losses++;
	return take_note();
}

void object_end(struct shared_object *o, size_t first, size_t end, const struct note *note)
{
	o->changes += MODELLED;
	for (size_t i = first; MODELLED && i < end; i++) {
		o->page[i].losses++;
		for (unsigned t = 0; t < program.threads; t++) {
			reset_slot(&o->page[i].slot[t], t, 0, note);
			if (worker[t].flight.on)
				add(&o->page[i].slot[t], worker[t].flight.stamp);
		}
	}
}

/* ---- fork ---------------------------------------------------------------------------------------------------------------------------------- */

void fork_begin(struct worker *w, struct place *parent, struct place *child)
{
	w->fork.on = true;
	w->fork.parent = parent;
	w->fork.child = child;
	if (MODELLED)
		memcpy(child->view, parent->view, sizeof child->view);
}

/* What is written during the fork may be in the child. */
static void add_to_children(struct place *parent, unsigned page, unsigned thread, uint64_t stamp)
{
	for (unsigned t = 0; t < program.threads; t++)
		if (worker[t].fork.on && worker[t].fork.parent == parent)
			add(&worker[t].fork.child->view[page].own.slot[thread], stamp);
}

void fork_end(struct worker *w, bool good)
{
	struct place *parent = w->fork.parent, *child = w->fork.child;

	w->fork.on = false;
	for (unsigned i = 0; MODELLED && good && i < window; i++) {
		struct view *c = &child->view[i];
		const struct view *v = &parent->view[i];

		c->vague |= c->changes % 2 || c->changes != v->changes || c->own.losses != v->own.losses;
		c->changes += c->changes % 2;
		c->own.losses += c->own.losses % 2;
		for (unsigned t = 0; t < program.threads; t++)
			c->own.slot[t].writes = 0;
		add_flights(parent, i, &c->own);
	}
}

/* ---- accesses --------------------------------------------------------------------------------------------------------------------------------- */

/* All that an outcome depends on, before and after. */
struct moment {
	unsigned changes, size_changes, losses, writes;
	bool vague;
	struct content *content;
	int expected;
};

static int expected_outcome(const struct view *v, bool write)
{
	if (!v->mapped)
		return FAULT_SIGNAL_SEGV_MAPERR;
	if (write ? !(v->rights & VM_WRITE) : !v->rights)
		return FAULT_SIGNAL_SEGV_ACCERR;
	return v->object >= 0 && v->index >= shared_object[v->object].npages ? FAULT_SIGNAL_BUS : FAULT_DONE;
}

static struct moment moment_of(struct view *v, unsigned slot, bool write)
{
	struct content *c = content_of(v);

	return (struct moment){ .changes = v->changes, .size_changes = v->object >= 0 ? shared_object[v->object].changes : 0, .losses = c->losses,
		.writes = c->slot[slot].writes, .vague = v->vague, .content = c, .expected = expected_outcome(v, write) };
}

/* Did the mapping stay as it was; and the bytes, but for what slots' own threads write? */
static bool mapping_stood(const struct moment *a, const struct moment *b)
{
	return a->changes == b->changes && a->changes % 2 == 0 && a->size_changes == b->size_changes && a->size_changes % 2 == 0 && !a->vague && !b->vague;
}

static bool bytes_stood(const struct moment *a, const struct moment *b)
{
	return a->content == b->content && a->losses == b->losses && a->losses % 2 == 0;
}

static void judge_value(struct moment *a, struct moment *b, unsigned slot, uint64_t value, bool stood, const char *where, unsigned long at)
{
	struct slot *s = &b->content->slot[slot];

	if (!plausible(slot, value))
		differ("%s %#lx, slot %u: reads %#lx, which was never written there", where, at, slot, (unsigned long)value);
	if (!stood || !bytes_stood(a, b) || a->writes != b->writes || a->writes % 2 || s->any)
		return;
	if (!can_be(s, value))
		differ("%s %#lx, slot %u: reads %#lx in place of %#lx%s", where, at, slot, (unsigned long)value, (unsigned long)s->can[0], s->n > 1 ? " or others" : "");
	set(s, value);
}

/* If the mapping has changed meanwhile, it may be in what was private then, too. */
static void keep_write(struct worker *w, struct moment *a, struct moment *b, bool stood, struct content *own)
{
	if (stood && bytes_stood(a, b)) {
		set(&b->content->slot[w->id], w->flight.stamp);
	} else {
		add(&a->content->slot[w->id], w->flight.stamp);
		add(&b->content->slot[w->id], w->flight.stamp);
		add(&own->slot[w->id], w->flight.stamp);
	}
}

void access_word(struct worker *w, struct place *p, unsigned page, unsigned slot, bool write)
{
	vaddr_t va = address_of(page) + word_offset(slot);
	struct view *v = &p->view[page];
	uint64_t value = 0;

	if (!MODELLED) {
		write ? sim_write(p->space, va, &value, sizeof value) : sim_read(p->space, va, &value, sizeof value);
		return;
	}
	struct moment before = moment_of(v, slot, write);
	if (write) {
		value = new_stamp(w);
		w->flight.place = p, w->flight.page = page, w->flight.stamp = value, w->flight.on = true;
		before.content->slot[slot].writes++;
		before.writes++;
	}
	int got = write ? sim_write(p->space, va, &value, sizeof value) : sim_read(p->space, va, &value, sizeof value);
	struct moment after = moment_of(v, slot, write);
	bool stood = mapping_stood(&before, &after);
	say(w, "%s %u of space %ld, slot %u: %d, %#lx", write ? "writes" : "reads", page, (long)(p - place), slot, got, (unsigned long)value);
	if (stood && got != before.expected && got != FAULT_NO_MEMORY)
		differ("thread %u %s page %u of space %ld: %d in place of %d", w->id, write ? "writes" : "reads", page, (long)(p - place), got, before.expected);
	if (write) {
		if (got == FAULT_DONE) {
			keep_write(w, &before, &after, stood, &v->own);
			if (!v->shared)
				add_to_children(p, page, w->id, value);
		}
		before.content->slot[slot].writes++;
		w->flight.on = false;
	} else if (got == FAULT_DONE) {
		judge_value(&before, &after, slot, value, stood, "page", page);
	}
}

/* read() or write() of a word of a file.  For write: the object's writer has been taken. */
static ssize transfer(struct shared_object *o, unsigned index, unsigned slot, uint64_t *value, bool write)
{
	struct uio uio = uio_kernel(value, sizeof *value);
	uint64_t offset = ((uint64_t)index << PAGE_SHIFT) + word_offset(slot);

	if (!write)
		return object_read(o->object, &uio, offset);
	return index < o->npages ? object_write(o->object, &uio, offset) : 0;
}

static void transfer_judged(struct worker *w, int object, unsigned index, unsigned slot, bool write)
{
	struct shared_object *o = &shared_object[object];
	struct view v = { .mapped = true, .shared = true, .rights = VM_READ | VM_WRITE, .object = object, .index = index, .vague = object >= COMMON_FILE };
	uint64_t value = write ? new_stamp(w) : 0;

	if (write) {
		w->flight.place = NULL, w->flight.stamp = value, w->flight.on = true;
		o->page[index].slot[slot].writes++;
	}
	struct moment before = moment_of(&v, slot, write);
	ssize got = transfer(o, index, slot, &value, write);
	struct moment after = moment_of(&v, slot, write);
	bool stood = mapping_stood(&before, &after);
	say(w, "%s page %u of object %d, slot %u: %ld, %#lx", write ? "writes" : "reads", index, object, slot, (long)got, (unsigned long)value);
	if (stood && got != (before.expected == FAULT_DONE ? (ssize)sizeof value : 0) && got != -ENOMEM)
		differ("thread %u %s page %u of object %d: %ld", w->id, write ? "writes" : "reads", index, object, (long)got);
	if (write) {
		if (got == sizeof value)
			keep_write(w, &before, &after, stood, after.content);
		o->page[index].slot[slot].writes++;
		w->flight.on = false;
	} else if (got == sizeof value) {
		judge_value(&before, &after, slot, value, stood, "object page", index);
	}
}

void access_object(struct worker *w, int object, unsigned index, unsigned slot, bool write)
{
	uint64_t value = 0;

	if (write)
		mutex_lock(&shared_object[object].writer);
	if (MODELLED)
		transfer_judged(w, object, index, slot, write);
	else
		transfer(&shared_object[object], index, slot, &value, write);
	if (write)
		mutex_unlock(&shared_object[object].writer);
}

void views_start(void)
{
	for (int o = 0; o < OBJECTS; o++)
		for (unsigned i = 0; i < OBJECT_PAGES; i++)
			for (unsigned t = 0; t < program.threads; t++)
				set(&shared_object[o].page[i].slot[t], i < shared_object[o].npages ? file_word(o, i, t) : 0);
}
