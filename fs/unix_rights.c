/*
 * fs/unix_rights.c - descriptors on their way, and the collection of sockets that only messages hold; see unix.h.
 *
 * A message with descriptors holds references to their files.  Putting the last one of a socket drops that socket's messages, with more files, and so on, however deep: so files
 * are not put where they are found, but from one list, by one thread at a time (the undertaker), in a loop.
 *
 * A socket whose messages hold itself, or two that hold each other, would never go.  The collection looks at the sockets in flight.  A socket all of whose references are from messages is
 * a suspect: no process can get at it but by receiving it.  What suspects hold of each other does not count; a suspect that is held from outside of them is reached, and so is what
 * it holds, and so on.  The rest is garbage: its messages are dropped.  That is done when a socket goes, and when a descriptor of one that is in flight is closed.  (This is the algorithm of Linux's net/unix/garbage.c up to 6.9.)
 */
#include "fs/unix.h"
#include "vm/heap.h"

static struct list flying = LIST_INIT(flying);	/* sockets in flight; unix_lock */
static uint64_t limited_files;			/* in flight, of senders who are limited; unix_lock */
static struct list doomed = LIST_INIT(doomed);	/* rights to be put; doomed_lock */
static struct spinlock doomed_lock = SPINLOCK_INIT("unix doomed", RANK_LEAF + 1);
static struct mutex undertaker = { .rank = RANK_PIPE, .name = "unix undertaker" };
LOCK_GUARDS(unix_lock, limited_files);
LOCK_GUARDS(doomed_lock, doomed);

struct unix_rights *unix_rights_new(unsigned room)
{
	struct unix_rights *r = kmalloc(sizeof *r + room * sizeof r->file[0]);

	if (r)
		*r = (struct unix_rights){ .link = LIST_INIT(r->link) };
	return r;
}

int unix_rights_leave(struct unix_rights *r, uint64_t limit)
{
	r->limited = limit != ~(uint64_t)0;
	if (r->limited && limited_files > limit)
		return -ETOOMANYREFS;
	limited_files += r->limited ? r->n : 0;
	for (unsigned i = 0; i < r->n; i++) {
		struct unix_socket *s = unix_of(r->file[i]);
		if (s && s->in_flight++ == 0)
			list_append(&flying, &s->flying);
	}
	return 0;
}

void unix_rights_arrive(struct unix_rights *r)
{
	limited_files -= r->limited ? r->n : 0;
	for (unsigned i = 0; i < r->n; i++) {
		struct unix_socket *s = unix_of(r->file[i]);
		if (s && --s->in_flight == 0)
			list_remove(&s->flying);
	}
}

struct unix_rights *unix_rights_copy(const struct unix_rights *r, struct unix_rights *to)
{
	for (unsigned i = 0; i < r->n; i++)
		to->file[i] = file_ref(r->file[i]);
	to->n = r->n;
	return to;
}

void unix_rights_doom(struct unix_rights *r)
{
	if (!r)
		return;
	spin_lock(&doomed_lock);
	list_append(&doomed, &r->link);
	spin_unlock(&doomed_lock);
}

static struct unix_rights *next_doomed(void)
{
	spin_lock(&doomed_lock);
	struct list *l = list_pop(&doomed);
	spin_unlock(&doomed_lock);
	return l ? container_of(l, struct unix_rights, link) : NULL;
}

static bool any_doomed(void)
{
	return __atomic_load_n(&doomed.next, __ATOMIC_SEQ_CST) != &doomed;
}

/* Who finds an undertaker at work, be it itself further down its stack, leaves the work to it: that one looks again after it has let go. */
void unix_put_rights(void)
{
	while (any_doomed() && mutex_trylock(&undertaker)) {
		for (struct unix_rights *r; (r = next_doomed()); kfree(r))
			for (unsigned i = 0; i < r->n; i++)
				file_put(r->file[i]);
		mutex_unlock(&undertaker);
	}
}

bool unix_in_flight(const struct file *f)
{
	const struct unix_socket *s = unix_of(f);

	return s && __atomic_load_n(&s->in_flight, __ATOMIC_RELAXED);
}

/* ---- the collection; unix_lock held ------------------------------------------------------------------------------------ */

typedef void (*held_fn)(struct unix_socket *held, struct list *work);

/* Calls fn for each suspect that messages in the queue hold. */
static void each_in_queue(struct unix_socket *s, held_fn fn, struct list *work)
{
	list_for_each(l, &s->queue) {
		const struct unix_rights *r = container_of(l, struct unix_message, link)->rights;
		for (unsigned i = 0; r && i < r->n; i++) {
			struct unix_socket *held = unix_of(r->file[i]);
			if (held && held->suspect)
				fn(held, work);
		}
	}
}

/* What a socket holds: in its own queue, and in those of connections that wait for it. */
static void each_held(struct unix_socket *s, held_fn fn, struct list *work)
{
	each_in_queue(s, fn, work);
	if (s->state == UNIX_LISTENING)
		list_for_each(l, &s->pending)
			each_in_queue(container_of(l, struct unix_socket, pending), fn, work);
}

static void held_by_suspect(struct unix_socket *held, struct list *work)
{
	(void)work;
	held->outside--;
}

static void reach(struct unix_socket *s, struct list *work)
{
	if (s->reached)
		return;
	s->reached = true;
	list_append(work, &s->work);
}

static void find_suspects(void)
{
	list_for_each(l, &flying) {
		struct unix_socket *s = container_of(l, struct unix_socket, flying);
		s->suspect = __atomic_load_n(&s->file->refs, __ATOMIC_ACQUIRE) == s->in_flight;
		s->outside = s->in_flight;
		s->reached = false;
	}
	list_for_each(l, &flying) {
		struct unix_socket *s = container_of(l, struct unix_socket, flying);
		if (s->suspect)
			each_held(s, held_by_suspect, NULL);
	}
}

static void reach_all(void)
{
	struct list work = LIST_INIT(work), *next;

	list_for_each(l, &flying) {
		struct unix_socket *s = container_of(l, struct unix_socket, flying);
		if (s->suspect && s->outside > 0)
			reach(s, &work);
	}
	while ((next = list_pop(&work)))
		each_held(container_of(next, struct unix_socket, work), reach, &work);
}

static void drop_garbage(void)
{
	struct list garbage = LIST_INIT(garbage), *next;

	list_for_each(l, &flying) {
		struct unix_socket *s = container_of(l, struct unix_socket, flying);
		if (s->suspect && !s->reached)
			list_append(&garbage, &s->work);
	}
	while ((next = list_pop(&garbage))) {
		struct unix_socket *s = container_of(next, struct unix_socket, work);
		unix_drop_messages(s);
		if (s->state == UNIX_LISTENING)
			list_for_each(l, &s->pending)
				unix_drop_messages(container_of(l, struct unix_socket, pending));
	}
}

void unix_collect(void)
{
	spin_lock(&unix_lock);
	if (!list_empty(&flying)) {
		find_suspects();
		reach_all();
		drop_garbage();
	}
	spin_unlock(&unix_lock);
	unix_put_rights();
}
