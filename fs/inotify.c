/*
 * fs/inotify.c - watches on vnodes, and instances that queue what they see; see inotify.h.
 *
 * A vnode with watches has a struct watched_vnode, which keeps a reference to it (so that it stays although nobody uses it) until the file has lost its last name:
 * then the end of the vnode is what IN_DELETE_SELF tells.
 *
 * Lock: notify_lock (spinlock, RANK_LEAF) guards all of this.  The hooks cost a look at one word while nobody watches anything.
 */
#include "fs/inotify.h"
#include "fs/anon.h"
#include "arch/uaccess.h"
#include "vm/heap.h"
#include "lib/string.h"

enum { EVENTS_MAX = 16384, WATCHES_MAX = 65536, NAME_ALIGN = 16, IOCTL_READABLE_BYTES = 0x541b };

struct event_head { int32_t wd; uint32_t mask, cookie, len; };	/* as programs read it; the name follows, with NULs up to len */
struct event { struct list link; struct event_head head; char name[]; };

struct instance {
	struct waitq changed;
	struct list events, watches;
	unsigned nevents;
	bool overflowed;		/* the last event says that some are missing */
	struct event overflow;
	int32_t last_wd;
};

struct watch { struct list of_vnode, of_instance; struct watched_vnode *on; struct instance *instance; int32_t wd; uint32_t mask; };

static struct spinlock notify_lock = SPINLOCK_INIT("inotify", RANK_LEAF);
static struct list all_watched = LIST_INIT(all_watched);
unsigned notify_watches;
static unsigned cookies;		/* atomic */

/* ---- events; notify_lock is held ------------------------------------------------------------------------------------------- */

static bool is_same(const struct event *e, const struct event_head *h, const char *name, size_t len)
{
	return e->head.wd == h->wd && e->head.mask == h->mask && e->head.cookie == h->cookie && e->head.len == h->len && memcmp(e->name, name, len) == 0
		&& (!len || e->name[len] == '\0');
}

static void append(struct instance *i, struct event *e)
{
	list_append(&i->events, &e->link);
	i->nevents++;
	file_wake(&i->changed, POLL_DATA);
}

static void queue(struct instance *i, const struct watch *w, uint32_t mask, uint32_t cookie, const char *name, size_t len)
{
	size_t padded = len ? (len + NAME_ALIGN) & ~(size_t)(NAME_ALIGN - 1) : 0;
	struct event_head head = { w->wd, mask, cookie, (uint32_t)padded };

	if (!list_empty(&i->events) && is_same(container_of(i->events.prev, struct event, link), &head, name, len))
		return;				/* once is enough, if nothing else came between */
	struct event *e = i->nevents < EVENTS_MAX ? kzalloc(sizeof *e + padded) : NULL;
	if (e) {
		e->head = head;
		memcpy(e->name, name, len);
		append(i, e);
	} else if (!i->overflowed) {
		i->overflowed = true;
		i->overflow.head = (struct event_head){ .wd = -1, .mask = IN_OVERFLOW };
		append(i, &i->overflow);
	}
}

/* Takes the watch away; a watched vnode without watches goes to `done`: for finish. */
static void end_watch(struct watch *w, struct list *done)
{
	struct watched_vnode *on = w->on;

	queue(w->instance, w, IN_IGNORED, 0, "", 0);
	list_remove(&w->of_vnode);
	list_remove(&w->of_instance);
	kfree(w);
	__atomic_sub_fetch(&notify_watches, 1, __ATOMIC_RELAXED);
	if (list_empty(&on->watches)) {
		on->vnode->watched = NULL;
		list_remove(&on->all);
		list_append(done, &on->all);
	}
}

static void tell(struct watched_vnode *on, uint32_t mask, uint32_t cookie, const char *name, size_t len, bool unlinked, struct list *done)
{
	list_for_each_safe(l, &on->watches) {
		struct watch *w = container_of(l, struct watch, of_vnode);
		if (!(w->mask & mask & IN_ALL_EVENTS) || (unlinked && w->mask & IN_EXCL_UNLINK))
			continue;
		queue(w->instance, w, mask, cookie, name, len);
		if (w->mask & IN_ONESHOT)
			end_watch(w, done);
	}
}

/* ---- the hooks ------------------------------------------------------------------------------------------------------------- */

/* Without notify_lock: gives up what watched vnodes held. */
static void finish(struct list *done)
{
	for (struct list *l; (l = list_pop(done)); ) {
		struct watched_vnode *on = container_of(l, struct watched_vnode, all);
		if (on->pinned)
			vnode_put(on->vnode);
		kfree(on);
	}
}

/* What happens to a directory says so, but where Linux leaves it out. */
static uint32_t subject(const struct vnode *v, uint32_t event)
{
	return S_ISDIR(v->mode) && !(event & (IN_DELETE_SELF | IN_MOVE_SELF)) ? IN_ISDIR : 0;
}

static void tell_vnode(struct vnode *v, uint32_t mask, uint32_t cookie, const char *name, size_t len, bool unlinked)
{
	struct list done = LIST_INIT(done);

	if (!__atomic_load_n(&v->watched, __ATOMIC_RELAXED))
		return;
	spin_lock(&notify_lock);
	if (v->watched)
		tell(v->watched, mask, cookie, name, len, unlinked, &done);
	spin_unlock(&notify_lock);
	finish(&done);
}

void notify_self(struct vnode *v, uint32_t event)
{
	tell_vnode(v, event | subject(v, event), 0, "", 0, false);
}

void notify_watchers(struct vnode *v, uint32_t event)
{
	char name[NAME_MAX_BYTES + 1];
	bool unlinked;

	struct vnode *dir = vnode_watched_parent(v, name, &unlinked);
	if (dir)
		tell_vnode(dir, event | subject(v, event), 0, name, strlen(name), unlinked);
	vnode_put(dir);
	notify_self(v, event);
}

void notify_name(struct vnode *dir, uint32_t event, const char *name, size_t len, const struct vnode *v, uint32_t cookie)
{
	if (notify_wanted())
		tell_vnode(dir, event | subject(v, event), cookie, name, len, false);
}

uint32_t notify_cookie(void)
{
	return __atomic_add_fetch(&cookies, 1, __ATOMIC_RELAXED);
}

void notify_unlinked(struct vnode *v)
{
	struct vattr attr;
	bool pinned = false;

	if (!notify_wanted() || !__atomic_load_n(&v->watched, __ATOMIC_RELAXED))
		return;
	if (!S_ISDIR(v->mode))
		notify_self(v, IN_ATTRIB);
	if (!S_ISDIR(v->mode) && !vfs_getattr(v, &attr) && attr.nlink > 0 && !v->unlinked)
		return;
	spin_lock(&notify_lock);
	if (v->watched) {
		pinned = v->watched->pinned;
		v->watched->pinned = false;
	}
	spin_unlock(&notify_lock);
	if (pinned)
		vnode_put(v);			/* not the last: the caller has one */
}

/* The vnode's last reference went. */
static void gone(struct vnode *v)
{
	struct list done = LIST_INIT(done);

	spin_lock(&notify_lock);
	struct watched_vnode *on = v->watched;
	if (on) {
		tell(on, IN_DELETE_SELF, 0, "", 0, false, &done);
		while (list_empty(&done) && !list_empty(&on->watches))
			end_watch(container_of(on->watches.next, struct watch, of_vnode), &done);
	}
	spin_unlock(&notify_lock);
	finish(&done);
}

void notify_unmount(struct mount *m)
{
	struct list done = LIST_INIT(done);

	if (!notify_wanted())
		return;
	spin_lock(&notify_lock);
	list_for_each_safe(l, &all_watched) {
		struct watched_vnode *on = container_of(l, struct watched_vnode, all);
		if (on->vnode->mount != m)
			continue;
		list_for_each_safe(at, &on->watches) {
			struct watch *w = container_of(at, struct watch, of_vnode);
			queue(w->instance, w, IN_UNMOUNT, 0, "", 0);
			end_watch(w, &done);
		}
	}
	spin_unlock(&notify_lock);
	finish(&done);
}

/* ---- instances as files ------------------------------------------------------------------------------------------------------ */

/* The first event, taken off the queue, if it fits; NULL: there is none, or (*fits false) it does not. */
static struct event *take_event(struct instance *i, size_t room, bool *fits)
{
	struct event *e = NULL;

	*fits = true;
	spin_lock(&notify_lock);
	if (!list_empty(&i->events)) {
		e = container_of(i->events.next, struct event, link);
		*fits = sizeof e->head + e->head.len <= room;
		if (*fits) {
			list_remove(&e->link);
			i->nevents--;
			if (e == &i->overflow)
				i->overflowed = false;
		} else {
			e = NULL;
		}
	}
	spin_unlock(&notify_lock);
	return e;
}

static void drop_event(struct instance *i, struct event *e)
{
	if (e != &i->overflow)
		kfree(e);
}

static ssize inotify_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct instance *i = f->data;
	size_t done = 0;
	ssize result = 0;
	bool fits;

	(void)pos;
	while (!result) {
		wait_prepare(&i->changed);
		struct event *e = take_event(i, uio->left, &fits);
		if (e) {
			struct event_head head = e->head;	/* the one of an overflow may be queued again at once */
			size_t n = sizeof head + head.len;
			wait_finish(&i->changed);
			size_t moved = uio_out(uio, &head, sizeof head);
			moved += moved == sizeof head ? uio_out(uio, e->name, head.len) : 0;
			drop_event(i, e);
			done += moved == n ? n : 0;
			result = moved == n ? 0 : -EFAULT;
		} else if (!fits || done) {
			result = fits ? (ssize)done : -EINVAL;
		} else {
			result = f->flags & OPEN_NONBLOCK ? -EAGAIN : wait_sleep(&i->changed, WAIT_INTERRUPTIBLE);
		}
	}
	wait_finish(&i->changed);
	return done ? (ssize)done : result;
}

static unsigned inotify_poll(struct file *f, struct waitq **waiters)
{
	struct instance *i = f->data;

	*waiters = &i->changed;
	spin_lock(&notify_lock);
	bool ready = !list_empty(&i->events);
	spin_unlock(&notify_lock);
	return ready ? POLL_DATA : 0;
}

static long inotify_ioctl(struct file *f, unsigned command, unsigned long arg)
{
	struct instance *i = f->data;
	int bytes = 0;

	if (command != IOCTL_READABLE_BYTES)
		return -ENOTTY;
	spin_lock(&notify_lock);
	list_for_each(l, &i->events)
		bytes += (int)(sizeof(struct event_head) + container_of(l, struct event, link)->head.len);
	spin_unlock(&notify_lock);
	return user_put(arg, bytes);
}

static void inotify_release(struct file *f)
{
	struct instance *i = f->data;
	struct list done = LIST_INIT(done);

	spin_lock(&notify_lock);
	while (!list_empty(&i->watches))
		end_watch(container_of(i->watches.next, struct watch, of_instance), &done);
	spin_unlock(&notify_lock);
	finish(&done);
	for (struct list *l; (l = list_pop(&i->events)); )
		drop_event(i, container_of(l, struct event, link));
	kfree(i);
}

static const struct file_ops inotify_ops = {
	.name = "anon_inode:inotify", .read = inotify_read, .poll = inotify_poll, .ioctl = inotify_ioctl, .seek = file_zero_seek, .release = inotify_release,
};

bool file_is_inotify(const struct file *f)
{
	return f->ops == &inotify_ops;
}

struct file *inotify_create(unsigned flags)
{
	struct instance *i = kzalloc(sizeof *i);

	if (!i)
		return NULL;
	waitq_init(&i->changed);
	list_init(&i->events);
	list_init(&i->watches);
	list_init(&i->overflow.link);
	struct file *f = anon_file(&inotify_ops, i, OPEN_READ | flags);
	if (!f)
		kfree(i);
	return f;
}

/* ---- watches ----------------------------------------------------------------------------------------------------------------- */

/* notify_lock is held: the instance's watch of this vnode. */
static struct watch *find(const struct instance *i, const struct vnode *v)
{
	if (!v->watched)
		return NULL;
	list_for_each(l, &v->watched->watches) {
		struct watch *w = container_of(l, struct watch, of_vnode);
		if (w->instance == i)
			return w;
	}
	return NULL;
}

/* notify_lock is held; *on and *w are used up as far as they are needed. */
static int add_locked(struct instance *i, struct vnode *v, uint32_t mask, struct watched_vnode **on, struct watch **w)
{
	uint32_t kept = IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT;
	struct watch *old = find(i, v);

	if (old) {
		if (mask & IN_MASK_CREATE)
			return -EEXIST;
		old->mask = (mask & IN_MASK_ADD ? old->mask : 0) | (mask & kept);
		return old->wd;
	}
	if (notify_watches >= WATCHES_MAX)
		return -ENOSPC;
	if (!v->watched) {
		**on = (struct watched_vnode){ .gone = gone, .vnode = vnode_ref(v), .pinned = true };
		list_init(&(*on)->watches);
		list_append(&all_watched, &(*on)->all);
		v->watched = *on;
		*on = NULL;
	}
	struct watch *new = *w;
	*new = (struct watch){ .on = v->watched, .instance = i, .wd = ++i->last_wd, .mask = mask & kept };
	list_append(&v->watched->watches, &new->of_vnode);
	list_append(&i->watches, &new->of_instance);
	__atomic_add_fetch(&notify_watches, 1, __ATOMIC_RELAXED);
	*w = NULL;
	return new->wd;
}

int inotify_add(struct file *f, struct vnode *v, uint32_t mask)
{
	struct watched_vnode *on = kmalloc(sizeof *on);
	struct watch *w = kmalloc(sizeof *w);
	int result = -ENOMEM;

	if (on && w) {
		spin_lock(&notify_lock);
		result = add_locked(f->data, v, mask, &on, &w);
		spin_unlock(&notify_lock);
	}
	kfree(on);
	kfree(w);
	return result;
}

int inotify_remove(struct file *f, int wd)
{
	struct instance *i = f->data;
	struct list done = LIST_INIT(done);
	int error = -EINVAL;

	spin_lock(&notify_lock);
	list_for_each_safe(l, &i->watches) {
		struct watch *w = container_of(l, struct watch, of_instance);
		if (w->wd != wd)
			continue;
		end_watch(w, &done);
		error = 0;
	}
	spin_unlock(&notify_lock);
	finish(&done);
	return error;
}
