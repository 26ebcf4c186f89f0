/*
 * kernel/epoll.c - sets of files that are watched: epoll(7).
 *
 * An epoll file has an item for each descriptor that it watches, in a tree by file and number.  The item has a waiter in the file's queue, for as long as it lives: what wakes the
 * queue puts the item into the ready list of its epoll file, and wakes who waits there.  So waiting costs what is ready, not what is watched.  The list says where to look; whether a file
 * is ready its poll says, when events are collected.  Items that watch levels stay in the list until a look finds them not ready; those that watch edges leave it when they are looked at.
 *
 * An item has no reference to its file, so that closing the last descriptor closes the file.  The file knows its items (file->watchers), and takes them away before it goes.
 *
 * Epoll files can watch each other, as a graph without circles and with NESTING_MAX steps at most: `nesting` is held while it grows.  Locks of one kind are taken along
 * its edges: mutexes from the one that watches to the watched, queues the other way.
 *
 * Locks:
 *	nesting		mutex, RANK_PIPE - 2: comes before the next
 *	epoll->lock	mutex, RANK_PIPE - 1: the tree, what items ask for, the look at files; held over copies to user memory
 *	links_lock	spinlock, RANK_LEAF: watchers of all files, epoll->refs
 *	changed.lock	of an epoll file's queue (spinlock, interrupts off): its ready list, and what of an item the waiter looks at
 */
#include "kernel/epoll.h"
#include "arch/uaccess.h"
#include "fs/anon.h"
#include "fs/synth.h"
#include "kernel/sched.h"
#include "lib/rbtree.h"
#include "vm/heap.h"

enum { NESTING_MAX = 4, PATHS_MAX = 1000 /* steps that one wake may take up the graph */ };
/* An event for those in epoll_wait alone: something is left for them. */
#define LEFT_OVER	(1u << 30)

struct epoll {
	struct mutex lock;
	struct waitq changed;		/* woken when an item gets into the ready list */
	struct rb_root items;		/* lock */
	struct list ready;		/* changed.lock */
	bool collecting;		/* a part of it lies with who collects events; changed.lock */
	unsigned refs;			/* the file's, and of those that take an item away; links_lock */
	struct file *file;		/* -; for the graph */
	uint64_t round;			/* of the look at the graph that has been here last; nesting, as the next */
	unsigned depth;
};

struct item {
	struct rb_node node;
	struct epoll *epoll;		/* - */
	struct file *file;		/* - */
	int fd;				/* - */
	uint32_t events;		/* lock, and changed.lock to change it */
	uint64_t data;			/* lock */
	struct waiter waiter;
	struct list ready;		/* in the list, or empty; changed.lock */
	struct list watch;		/* in file->watchers; links_lock */
};

static struct mutex nesting = { .rank = RANK_PIPE - 2, .name = "epoll nesting" };
static struct spinlock links_lock = SPINLOCK_INIT("epoll links", RANK_LEAF);
static const struct file_ops epoll_ops;

bool file_is_epoll(const struct file *f)
{
	return f->ops == &epoll_ops;
}

/* ---- the ready list -------------------------------------------------------------------------------------------------------------------- */

/* Nothing once it has been told, if that was to be once. */
static unsigned wanted(const struct item *i)
{
	return i->events & ~EPOLL_HOW;
}

/* Into the list, and whoever waits is woken: of threads in epoll_wait one.  changed.lock held. */
static bool make_ready(struct item *i)
{
	struct epoll *e = i->epoll;

	if (list_empty(&i->ready))
		list_append(&e->ready, &i->ready);
	return waiters_wake(&e->changed, POLL_DATA);
}

/* The file's queue is locked. */
static bool file_changed(struct waiter *w, unsigned events)
{
	struct item *i = container_of(w, struct item, waiter);
	bool used = false;

	spin_lock_nested(&i->epoll->changed.lock);
	if (wanted(i) & events)
		used = make_ready(i);
	spin_unlock(&i->epoll->changed.lock);
	return used;
}

static unsigned ready_events(const struct item *i)
{
	struct waitq *queue;

	return wanted(i) ? file_poll(i->file, &queue) & wanted(i) : 0;
}

static bool any_ready(struct epoll *e)
{
	unsigned long irq = spin_lock_irq(&e->changed.lock);
	bool any = !list_empty(&e->ready) || e->collecting;
	spin_unlock_irq(&e->changed.lock, irq);
	return any;
}

/* The first one of a list of items, taken out. */
static struct item *take_first(struct epoll *e, struct list *from)
{
	unsigned long irq = spin_lock_irq(&e->changed.lock);
	struct list *l = list_pop(from);
	spin_unlock_irq(&e->changed.lock, irq);
	return l ? container_of(l, struct item, ready) : NULL;
}

enum list_end { AT_START, AT_END };

/* Back into the list; it may have come there by itself meanwhile. */
static void put_back(struct item *i, enum list_end end)
{
	struct epoll *e = i->epoll;
	unsigned long irq = spin_lock_irq(&e->changed.lock);

	if (list_empty(&i->ready) && end == AT_START)
		list_push(&e->ready, &i->ready);
	else if (list_empty(&i->ready))
		list_append(&e->ready, &i->ready);
	spin_unlock_irq(&e->changed.lock, irq);
}

/* Moves all items of one list to the start of another, when events begin or end to be collected. */
static void move_list(struct epoll *e, struct list *from, struct list *to, bool collecting)
{
	unsigned long irq = spin_lock_irq(&e->changed.lock);

	for (struct list *l; (l = from->prev) != from; ) {
		list_remove(l);
		list_push(to, l);
	}
	e->collecting = collecting;
	spin_unlock_irq(&e->changed.lock, irq);
}

/* ---- collecting ------------------------------------------------------------------------------------------------------------------------- */

static void told(struct item *i)
{
	struct epoll *e = i->epoll;

	if (i->events & EPOLL_ONCE) {
		unsigned long irq = spin_lock_irq(&e->changed.lock);
		i->events &= EPOLL_HOW;
		spin_unlock_irq(&e->changed.lock, irq);
	} else if (!(i->events & EPOLL_EDGE)) {
		put_back(i, AT_END);
	}
}

/* e->lock held.  Looks at the items in the ready list, each once, and tells the user of those that are: how many, or -EFAULT. */
static long collect_locked(struct epoll *e, vaddr_t to, int max)
{
	struct list now = LIST_INIT(now);
	struct item *i;
	long n = 0;

	move_list(e, &e->ready, &now, true);
	while (n < max && (i = take_first(e, &now))) {
		struct epoll_event64 event = { ready_events(i), i->data };
		if (!event.events)
			continue;
		if (user_put(to + (size_t)n * sizeof event, event)) {
			put_back(i, AT_START);
			n = n ? n : -EFAULT;
			break;
		}
		told(i);
		n++;
	}
	move_list(e, &now, &e->ready, false);
	return n;
}

static long collect(struct epoll *e, vaddr_t to, int max)
{
	if (!any_ready(e))
		return 0;
	mutex_lock(&e->lock);
	long n = collect_locked(e, to, max);
	mutex_unlock(&e->lock);
	if (any_ready(e))
		file_wake(&e->changed, LEFT_OVER);
	return n;
}

long epoll_wait_until(struct file *f, vaddr_t to, int max, uint64_t deadline_ns)
{
	struct epoll *e = f->data;
	struct waiter w = { .exclusive = true, .want = POLL_DATA | LEFT_OVER };
	long n = collect(e, to, max);
	int why = deadline_ns == 0 ? -ETIMEDOUT : 0;

	while (n == 0 && !why) {
		waiter_add(&w, &e->changed);
		if (!any_ready(e))
			why = waiters_sleep(&w, 1, WAIT_INTERRUPTIBLE, deadline_ns);
		waiter_remove(&w);		/* woken up to now: what is ready is ours to see to */
		n = collect(e, to, max);
	}
	return n || why == -ETIMEDOUT ? n : why;
}

/* Of the epoll file itself: is any that it watches ready?  Those that are not leave the list. */
static unsigned epoll_poll(struct file *f, struct waitq **queue)
{
	struct epoll *e = f->data;
	unsigned events = 0;
	struct item *i;

	*queue = &e->changed;
	mutex_lock_nested(&e->lock);
	while (!events && (i = take_first(e, &e->ready))) {
		if (!ready_events(i))
			continue;
		events = POLL_DATA;
		put_back(i, AT_START);
	}
	mutex_unlock(&e->lock);
	return events;
}

/* ---- items ------------------------------------------------------------------------------------------------------------------------------ */

static int compare(const struct item *i, const struct file *f, int fd)
{
	if (i->file != f)
		return (uintptr_t)f < (uintptr_t)i->file ? -1 : 1;
	return fd < i->fd ? -1 : fd > i->fd;
}

/* The item, or NULL and where it belongs. */
static struct item *find(struct epoll *e, const struct file *f, int fd, struct rb_node **parent, int *side)
{
	*parent = NULL;
	*side = 0;
	for (struct rb_node *n = e->items.top; n; n = n->child[*side]) {
		struct item *i = container_of(n, struct item, node);
		int order = compare(i, f, fd);
		if (order == 0)
			return i;
		*parent = n;
		*side = order > 0;
	}
	return NULL;
}

/* What is asked for has been set: what holds already is an event.  e->lock held. */
static void look_first(struct item *i)
{
	if (!ready_events(i))
		return;
	unsigned long irq = spin_lock_irq(&i->epoll->changed.lock);
	make_ready(i);
	spin_unlock_irq(&i->epoll->changed.lock, irq);
}

static void link_file(struct item *i)
{
	spin_lock(&links_lock);
	list_append(&i->file->watchers, &i->watch);
	spin_unlock(&links_lock);
}

static int add(struct epoll *e, struct file *f, int fd, const struct epoll_event64 *event)
{
	struct rb_node *parent;
	struct waitq *queue;
	int side;

	if (find(e, f, fd, &parent, &side))
		return -EEXIST;
	struct item *i = kzalloc(sizeof *i);
	if (!i)
		return -ENOMEM;
	*i = (struct item){ .epoll = e, .file = f, .fd = fd, .events = event->events | POLL_ERR | POLL_HUP, .data = event->data };
	list_init(&i->ready);
	i->waiter.told = file_changed;
	i->waiter.exclusive = event->events & EPOLL_EXCLUSIVE;
	rb_insert(&e->items, &i->node, parent, side, NULL);
	link_file(i);
	file_poll(f, &queue);
	if (queue)
		waiter_add(&i->waiter, queue);
	look_first(i);
	return 0;
}

static int modify(struct item *i, const struct epoll_event64 *event)
{
	struct epoll *e = i->epoll;

	if (i->events & EPOLL_EXCLUSIVE)
		return -EINVAL;
	unsigned long irq = spin_lock_irq(&e->changed.lock);
	i->events = event->events | POLL_ERR | POLL_HUP;
	spin_unlock_irq(&e->changed.lock, irq);
	i->data = event->data;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* what changes from now on finds the new events, what has changed we find */
	look_first(i);
	return 0;
}

/* e->lock held. */
static void remove_item(struct item *i)
{
	struct epoll *e = i->epoll;

	waiter_remove(&i->waiter);			/* nobody tells it anything from now on */
	unsigned long irq = spin_lock_irq(&e->changed.lock);
	list_remove(&i->ready);
	spin_unlock_irq(&e->changed.lock, irq);
	spin_lock(&links_lock);
	list_remove(&i->watch);
	spin_unlock(&links_lock);
	rb_remove(&e->items, &i->node, NULL);
	kfree(i);
}

static void drop(struct epoll *e)
{
	spin_lock(&links_lock);
	bool last = --e->refs == 0;
	spin_unlock(&links_lock);
	if (last)
		kfree(e);
}

/* The epoll file of one of the file's items, with a reference; NULL: there is none. */
static struct epoll *watcher_of(struct file *f)
{
	spin_lock(&links_lock);
	struct epoll *e = list_empty(&f->watchers) ? NULL : container_of(f->watchers.next, struct item, watch)->epoll;
	if (e)
		e->refs++;
	spin_unlock(&links_lock);
	return e;
}

static void remove_items_of(struct epoll *e, const struct file *f)
{
	struct rb_node *next;

	mutex_lock(&e->lock);
	for (struct rb_node *n = rb_end(&e->items, 0); n; n = next) {
		struct item *i = container_of(n, struct item, node);
		next = rb_step(n, 1);
		if (i->file == f)
			remove_item(i);
	}
	mutex_unlock(&e->lock);
}

void file_unwatch(struct file *f)
{
	for (struct epoll *e; (e = watcher_of(f)); drop(e))
		remove_items_of(e, f);
}

static void epoll_release(struct file *f)
{
	struct epoll *e = f->data;

	mutex_lock(&e->lock);
	for (struct rb_node *n; (n = e->items.top); )
		remove_item(container_of(n, struct item, node));
	mutex_unlock(&e->lock);
	drop(e);
}

/* ---- the graph -------------------------------------------------------------------------------------------------------------------------- */

static uint64_t last_round;			/* nesting */

/*
 * Steps from e down to the last epoll file below it; NESTING_MAX + 1: more than may be, or `target` is among them.  Each epoll file is looked at once in a round, however
 * many ways lead there.  nesting held.
 */
static unsigned depth_below(struct epoll *e, const struct epoll *target)
{
	if (e == target)
		return NESTING_MAX + 1;
	if (e->round == last_round)
		return e->depth;
	e->round = last_round;
	e->depth = 0;
	mutex_lock_nested(&e->lock);
	for (struct rb_node *n = rb_end(&e->items, 0); n && e->depth <= NESTING_MAX; n = rb_step(n, 1)) {
		struct file *f = container_of(n, struct item, node)->file;
		unsigned depth = file_is_epoll(f) ? 1 + depth_below(f->data, target) : 0;
		e->depth = depth > e->depth ? depth : e->depth;
	}
	mutex_unlock(&e->lock);
	return e->depth;
}

/* Climbs from the file to the epoll files above it, on every way, by *steps at most; the height. links_lock held. */
static unsigned climb(const struct file *f, unsigned *steps)
{
	unsigned highest = 0;

	list_for_each(l, &f->watchers) {
		if (*steps == 0)
			break;
		--*steps;
		unsigned height = 1 + climb(container_of(l, struct item, watch)->epoll->file, steps);
		highest = height > highest ? height : highest;
	}
	return highest;
}

static unsigned height_above(const struct file *f, unsigned *steps)
{
	spin_lock(&links_lock);
	unsigned height = climb(f, steps);
	spin_unlock(&links_lock);
	return height;
}

/* nesting held, the edge not there yet. */
static int check_depth(struct epoll *e, struct file *f)
{
	unsigned steps = PATHS_MAX;

	if (!file_is_epoll(f))
		return 0;
	last_round++;
	return 1 + depth_below(f->data, e) + height_above(e->file, &steps) > NESTING_MAX ? -ELOOP : 0;
}

/* Does a wake of this file, or of any below it, take too many steps?  nesting held, a new round. */
static bool too_many_paths(struct file *f)
{
	unsigned steps = PATHS_MAX;

	height_above(f, &steps);
	if (steps == 0)
		return true;
	struct epoll *e = file_is_epoll(f) ? f->data : NULL;
	if (!e || e->round == last_round)
		return false;
	e->round = last_round;
	bool many = false;
	mutex_lock_nested(&e->lock);
	for (struct rb_node *n = rb_end(&e->items, 0); n && !many; n = rb_step(n, 1))
		many = too_many_paths(container_of(n, struct item, node)->file);
	mutex_unlock(&e->lock);
	return many;
}

/* ---- for the calls ---------------------------------------------------------------------------------------------------------------------- */

static int control_locked(struct epoll *e, enum epoll_op op, struct file *f, int fd, const struct epoll_event64 *event)
{
	struct rb_node *parent;
	int side;

	if (op == EPOLL_ADD)
		return add(e, f, fd, event);
	struct item *i = find(e, f, fd, &parent, &side);
	if (!i)
		return -ENOENT;
	if (op == EPOLL_MODIFY)
		return modify(i, event);
	remove_item(i);
	return 0;
}

static int control(struct epoll *e, enum epoll_op op, struct file *f, int fd, const struct epoll_event64 *event)
{
	mutex_lock(&e->lock);
	int error = control_locked(e, op, f, fd, event);
	mutex_unlock(&e->lock);
	return error;
}

static int add_to_graph(struct epoll *e, struct file *f, int fd, const struct epoll_event64 *event)
{
	mutex_lock(&nesting);
	int error = check_depth(e, f);
	if (!error)
		error = control(e, EPOLL_ADD, f, fd, event);
	last_round++;
	if (!error && too_many_paths(f)) {
		control(e, EPOLL_DELETE, f, fd, NULL);
		error = -EINVAL;
	}
	mutex_unlock(&nesting);
	return error;
}

int epoll_control(struct file *epoll, enum epoll_op op, struct file *f, int fd, const struct epoll_event64 *event)
{
	bool grows = op == EPOLL_ADD && (file_is_epoll(f) || !list_empty(&epoll->watchers));

	return grows ? add_to_graph(epoll->data, f, fd, event) : control(epoll->data, op, f, fd, event);
}

static void epoll_show(struct file *f, struct text *t)
{
	struct epoll *e = f->data;

	mutex_lock(&e->lock);
	for (struct rb_node *n = rb_end(&e->items, 0); n; n = rb_step(n, 1)) {
		struct item *i = container_of(n, struct item, node);
		text_print(t, "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%llx sdev:%x\n", i->fd, i->events, (unsigned long long)i->data,
			(long long)i->file->pos, (unsigned long long)i->file->vnode->ino, (unsigned)i->file->vnode->mount->dev);
	}
	mutex_unlock(&e->lock);
}

static const struct file_ops epoll_ops = {
	.name = "anon_inode:[eventpoll]", .seek = file_zero_seek, .poll = epoll_poll, .show = epoll_show, .release = epoll_release,
};

struct file *epoll_create_file(void)
{
	struct epoll *e = kzalloc(sizeof *e);

	if (!e)
		return NULL;
	mutex_init(&e->lock, "epoll", RANK_PIPE - 1);
	waitq_init(&e->changed);
	list_init(&e->ready);
	e->refs = 1;
	e->file = anon_file(&epoll_ops, e, OPEN_READ_WRITE);
	if (!e->file)
		kfree(e);
	return e->file;
}
