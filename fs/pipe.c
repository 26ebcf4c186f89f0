/*
 * fs/pipe.c - pipes: a ring of pages between writers and readers; see pipe.h.
 *
 * A page is taken when bytes are written and freed when they are read (one is kept for the next write); the last one is filled up before
 * another is begun.  So an empty pipe costs little, and a full one 64 KiB.
 *
 * A pipe hangs on a vnode: a fifo's while it is open, or one of its own.  It lives as long as it has a reader or a writer.
 *
 * Locks: vnode->lock guards vnode->pipe (its coming and going); pipe->lock (mutex, RANK_PIPE) all fields of the pipe; readers and writers change under
 * both.  pipe->lock is held while bytes move from and to the user: a fault on the way takes the locks of spaces and objects, never one of a pipe.
 */
#include "fs/vfs.h"
#include "arch/uaccess.h"
#include "vm/heap.h"
#include "vm/reclaim.h"
#include "lib/assert.h"
#include "lib/string.h"

enum { PIPE_SLOTS = 16, IOCTL_READABLE_BYTES = 0x541b };

struct slot { char *page; size_t start, len; bool packet /* nothing is added to it, and one read takes it or loses the rest */; };

struct pipe {
	struct mutex lock;
	struct waitq changed;		/* bytes, room, readers or writers */
	unsigned readers, writers;	/* open descriptions */
	unsigned reader_opens, writer_opens;	/* ever: what an open that waits for the other side compares */
	struct slot *ring;		/* nslots of them, a power of two; `used` in use from `head` on */
	unsigned nslots, head, used;
	char *spare;			/* an empty page, or NULL */
	bool taking, filling;		/* a splice is on its way with the first bytes, or with bytes for the end: other readers, or writers, wait for it */
};

/* What a file opened without a writer remembers: writer_opens, so that poll reports no end before there was one. */
#define SEEN(f) ((f)->pos)

static struct slot *slot_at(const struct pipe *p, unsigned i) { return &p->ring[(p->head + i) & (p->nslots - 1)]; }

/* Sleepers prepared under pipe->lock, or look under it after they did: none is missed. */
static void wake_sleepers(struct pipe *p, unsigned events)
{
	if (!list_empty(&p->changed.waiters))
		file_wake(&p->changed, events);
}

static inline int wait_change(struct pipe *p)
{
	wait_prepare(&p->changed);
	mutex_unlock(&p->lock);
	int error = wait_sleep(&p->changed, WAIT_INTERRUPTIBLE);
	wait_finish(&p->changed);
	mutex_lock(&p->lock);
	return error;
}

/* ---- pages ------------------------------------------------------------------------------------------------------------- */

/* May more bytes be put into the last slot? */
static inline bool last_is_open(const struct pipe *p)
{
	return p->used && !slot_at(p, p->used - 1)->packet;
}

/* Bytes that can be written without waiting. */
static inline size_t room(const struct pipe *p)
{
	size_t n = (p->nslots - p->used) * PAGE_SIZE;

	if (last_is_open(p)) {
		const struct slot *last = slot_at(p, p->used - 1);
		n += PAGE_SIZE - last->start - last->len;
	}
	return n;
}

/* The slot that the next byte goes to, with room in it; NULL: no memory (there is a free slot). */
static inline struct slot *slot_to_fill(struct pipe *p, bool packet)
{
	struct slot *s = last_is_open(p) ? slot_at(p, p->used - 1) : NULL;

	if (s && s->start + s->len < PAGE_SIZE)
		return s;
	char *page = p->spare;
	if (!page && reclaim_keep_free())
		page = kmalloc(PAGE_SIZE);
	if (!page)
		return NULL;
	p->spare = NULL;
	s = slot_at(p, p->used++);
	*s = (struct slot){ .page = page, .packet = packet };
	return s;
}

static inline void drop_first_slot(struct pipe *p)
{
	char *page = slot_at(p, 0)->page;

	if (p->spare)
		kfree(page);
	else
		p->spare = page;
	p->head = (p->head + 1) & (p->nslots - 1);
	p->used--;
}

/* The first n bytes of the first slot are gone. */
static inline void consume(struct pipe *p, size_t n)
{
	struct slot *s = slot_at(p, 0);

	s->start += n;
	s->len -= n;
	if (s->len == 0)
		drop_first_slot(p);
}

/* Moves what there is, or fits: the bytes, or -EFAULT, -ENOMEM if none. */
WARM ssize take(struct pipe *p, struct uio *uio)
{
	size_t done = 0;

	while (p->used > 0 && uio->left > 0) {
		struct slot *s = slot_at(p, 0);
		bool packet = s->packet;
		size_t n = s->len < uio->left ? s->len : uio->left;
		size_t moved = uio_out(uio, s->page + s->start, n);

		done += moved;
		consume(p, packet && moved == n ? s->len : moved);
		if (moved < n)
			return done ? (ssize)done : -EFAULT;
		if (packet)
			break;
	}
	return (ssize)done;
}

WARM ssize put(struct pipe *p, struct uio *uio, bool packet)
{
	size_t done = 0;

	while (uio->left > 0 && room(p) > 0) {
		struct slot *s = slot_to_fill(p, packet);
		if (!s)
			return done ? (ssize)done : -ENOMEM;
		size_t end = s->start + s->len, n = PAGE_SIZE - end < uio->left ? PAGE_SIZE - end : uio->left;
		size_t moved = uio_in(uio, s->page + end, n);

		s->len += moved;
		done += moved;
		if (s->len == 0) {			/* a slot in use is never empty */
			assert(!p->spare);
			p->spare = s->page;
			p->used--;
		}
		if (moved < n)
			return done ? (ssize)done : -EFAULT;
	}
	return (ssize)done;
}

/* ---- reading and writing ----------------------------------------------------------------------------------------------- */

static ssize pipe_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct pipe *p = f->data;
	ssize n = 0;

	(void)pos;
	if (uio->left == 0)
		return 0;
	mutex_lock(&p->lock);
	while ((p->taking || (p->used == 0 && p->writers > 0)) && n == 0)
		n = f->flags & OPEN_NONBLOCK && !p->taking ? -EAGAIN : wait_change(p);
	if (p->used > 0 && !p->taking) {
		bool full = p->used == p->nslots;
		n = take(p, uio);
		if (full && p->used < p->nslots)		/* no writer waits before */
			wake_sleepers(p, POLL_ROOM);
	}
	mutex_unlock(&p->lock);
	return n;
}

/* Is there room for the next step of a write?  Small writes go as a whole. */
static bool may_put(const struct pipe *p, size_t left, size_t whole)
{
	return !p->filling && room(p) >= (whole <= PIPE_ATOMIC ? left : 1);
}

static ssize pipe_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct pipe *p = f->data;
	size_t whole = uio->left, done = 0;
	bool packet = f->flags & OPEN_DIRECT;
	ssize n = 0;

	(void)pos;
	if (whole == 0)
		return 0;
	mutex_lock(&p->lock);
	while (uio->left > 0 && n >= 0) {
		if (p->readers == 0) {
			n = -EPIPE;
		} else if (may_put(p, uio->left, whole)) {
			n = put(p, uio, packet);
			done += n > 0 ? (size_t)n : 0;
			wake_sleepers(p, POLL_DATA);
		} else {
			n = f->flags & OPEN_NONBLOCK && !p->filling ? -EAGAIN : wait_change(p);
		}
	}
	mutex_unlock(&p->lock);
	return done ? (ssize)done : n;
}

static unsigned pipe_poll(struct file *f, struct waitq **queue)
{
	struct pipe *p = f->data;
	unsigned events = 0;

	*queue = &p->changed;
	mutex_lock(&p->lock);
	if (file_readable(f)) {
		events |= p->used ? POLL_IN | POLL_READ_NORMAL : 0;
		events |= p->writers == 0 && SEEN(f) != p->writer_opens ? POLL_HUP : 0;
	}
	if (file_writable(f)) {
		events |= p->used < p->nslots ? POLL_OUT | POLL_WRITE_NORMAL : 0;
		events |= p->readers == 0 ? POLL_ERR : 0;
	}
	mutex_unlock(&p->lock);
	return events;
}

static long pipe_ioctl(struct file *f, unsigned command, unsigned long arg)
{
	struct pipe *p = f->data;
	int bytes = 0;

	if (command != IOCTL_READABLE_BYTES)
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->used; i++)
		bytes += (int)slot_at(p, i)->len;
	mutex_unlock(&p->lock);
	return user_put(arg, bytes);
}

/* ---- coming and going -------------------------------------------------------------------------------------------------- */

unsigned long pipe_size_most = 1 << 20;

static unsigned slots_for(size_t bytes)
{
	unsigned n = 1;

	while (n * PAGE_SIZE < bytes)
		n *= 2;
	return n;
}

/* Are so many slots more than the current process may have? */
static bool too_many(unsigned n)
{
	return n > slots_for(__atomic_load_n(&pipe_size_most, __ATOMIC_RELAXED)) && !pipe_unlimited();
}

static struct pipe *pipe_alloc(void)
{
	if (!reclaim_keep_free())
		return NULL;
	struct pipe *p = kzalloc(sizeof *p);
	unsigned n = PIPE_SLOTS;
	while (n > 1 && too_many(n))
		n /= 2;
	struct slot *ring = kmalloc(n * sizeof *ring);
	if (!p || !ring) {
		kfree(p);
		kfree(ring);
		return NULL;
	}
	mutex_init(&p->lock, "pipe", RANK_PIPE);
	waitq_init(&p->changed);
	p->ring = ring;
	p->nslots = n;
	return p;
}

static void pipe_free(struct pipe *p)
{
	while (p->used > 0)
		drop_first_slot(p);
	kfree(p->spare);
	kfree(p->ring);
	kfree(p);
}

/*
 * A description that reads or writes (or both) comes.  Its open may have to wait for the other side: until reader_opens or writer_opens is not the number
 * returned, which it is not if the other side is there now.
 */
static unsigned join(struct pipe *p, struct file *f)
{
	mutex_lock(&p->lock);
	unsigned before = file_readable(f) ? p->writer_opens - (p->writers > 0) : p->reader_opens - (p->readers > 0);
	SEEN(f) = p->writers ? ~(uint64_t)0 : p->writer_opens;
	if (file_readable(f)) {
		p->readers++;
		p->reader_opens++;
	}
	if (file_writable(f)) {
		p->writers++;
		p->writer_opens++;
	}
	wake_sleepers(p, ~0u);
	mutex_unlock(&p->lock);
	return before;
}

/* The lock of a directory may be held, by who has looked at descriptors there (/proc/PID/fd); that of a pipe comes after all others of vnodes. */
static void pipe_leave(struct file *f)
{
	struct pipe *p = f->data;

	mutex_lock_nested(&f->vnode->lock);
	mutex_lock(&p->lock);
	p->readers -= file_readable(f);
	p->writers -= file_writable(f);
	bool last = p->readers == 0 && p->writers == 0;
	wake_sleepers(p, ~0u);
	mutex_unlock(&p->lock);
	if (last) {
		f->vnode->pipe = NULL;
		pipe_free(p);
	}
	mutex_unlock(&f->vnode->lock);
}

static const struct file_ops pipe_ops = {
	.read = pipe_read, .write = pipe_write, .ioctl = pipe_ioctl, .seek = file_no_seek, .poll = pipe_poll, .release = pipe_leave,
};

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_ops;
}

size_t pipe_frames(const struct file *f)
{
	if (!file_is_pipe(f))
		return 0;
	return file_readable(f) ? ((const struct pipe *)f->data)->used : 1;
}

static int pipe_statfs(struct mount *m, struct linux_statfs *s)
{
	(void)m;
	s->type = STATFS_PIPE;
	return 0;
}

static struct mount pipe_mount = { .type = "pipefs", .source = "none", .statfs = pipe_statfs };

/* The other side has to come before an open returns, and may have left again by then. */
static int wait_for_other_side(struct file *f, unsigned before)
{
	struct pipe *p = f->data;
	const unsigned *opens = file_readable(f) ? &p->writer_opens : &p->reader_opens;
	int error = 0;

	mutex_lock(&p->lock);
	while (*opens == before && !error)
		error = wait_change(p);
	mutex_unlock(&p->lock);
	return error;
}

/* A fifo; or, by way of /proc/PID/fd, a pipe: that waits for nobody. */
int pipe_open(struct file *f)
{
	struct vnode *v = f->vnode;
	bool reads = file_readable(f), writes = file_writable(f), fifo = v->mount != &pipe_mount;
	unsigned before = 0;

	if (!reads && !writes)			/* access 3: nobody would count it */
		return -EINVAL;
	mutex_lock(&v->lock);
	if (!v->pipe)
		v->pipe = pipe_alloc();
	struct pipe *p = v->pipe;
	int error = !p ? -ENOMEM : fifo && !reads && f->flags & OPEN_NONBLOCK && p->readers == 0 ? -ENXIO : 0;
	if (!error) {
		f->data = p;
		before = join(p, f);
	} else if (p && p->readers == 0 && p->writers == 0) {
		v->pipe = NULL;
		pipe_free(p);
	}
	mutex_unlock(&v->lock);
	if (error)
		return error;
	f->ops = &pipe_ops;
	if (fifo && !(reads && writes) && !(f->flags & OPEN_NONBLOCK))
		error = wait_for_other_side(f, before);
	if (error)
		pipe_leave(f);
	return error;
}

static const struct vnode_ops pipe_vnode_ops = { .setattr = vnode_setattr };
static uint64_t pipe_numbers;			/* atomic */

int pipe_create(struct file *ends[2], unsigned flags)
{
	if (!__atomic_load_n(&pipe_mount.dev, __ATOMIC_RELAXED))
		mount_number(&pipe_mount);
	uint64_t ino = __atomic_add_fetch(&pipe_numbers, 1, __ATOMIC_RELAXED);
	struct vnode *v = vnode_create(&pipe_mount, &pipe_vnode_ops, ino, S_IFIFO | 0600, 0);
	struct pipe *p = v ? pipe_alloc() : NULL;

	ends[0] = p ? file_new(&pipe_ops, v, (flags & ~(unsigned)OPEN_DIRECT) | OPEN_READ) : NULL;
	ends[1] = ends[0] ? file_new(&pipe_ops, vnode_ref(v), flags | OPEN_WRITE) : NULL;
	if (!ends[1])
		goto no_memory;
	v->pipe = p;
	for (int i = 0; i < 2; i++) {
		ends[i]->data = p;
		join(p, ends[i]);
	}
	return 0;

no_memory:
	if (ends[0]) {
		vnode_put(v);			/* the reference that the other end did not take */
		ends[0]->ops = &file_directory_ops;	/* it was never a pipe: nothing to leave */
		file_put(ends[0]);
	} else {
		vnode_put(v);
	}
	if (p)
		pipe_free(p);
	return -ENOMEM;
}

/* ---- capacity ---------------------------------------------------------------------------------------------------------- */

size_t pipe_size(const struct file *f)
{
	return ((struct pipe *)f->data)->nslots * PAGE_SIZE;
}

ssize pipe_resize(struct file *f, size_t bytes)
{
	struct pipe *p = f->data;
	unsigned n = slots_for(bytes);

	if (n > p->nslots && too_many(n))
		return -EPERM;
	struct slot *ring = kmalloc(n * sizeof *ring);
	if (!ring)
		return -ENOMEM;
	mutex_lock(&p->lock);
	bool fits = p->used <= n && !p->filling && !p->taking;
	if (fits) {
		for (unsigned i = 0; i < p->used; i++)
			ring[i] = *slot_at(p, i);
		struct slot *old = p->ring;
		p->ring = ring;
		p->nslots = n;
		p->head = 0;
		ring = old;
		wake_sleepers(p, POLL_ROOM);
	}
	mutex_unlock(&p->lock);
	kfree(ring);
	return fits ? (ssize)(n * PAGE_SIZE) : -EBUSY;
}

/* ---- splicing: between a pipe and another file, without the way through user memory ----------------------------------------- */

/* Waits until there is something to take, or its end: 0, -EAGAIN, -EINTR. p->lock is held. */
static int wait_readable(struct pipe *p, bool wait)
{
	int error = 0;

	while (!error && (p->taking || (p->used == 0 && p->writers > 0)))
		error = wait || p->taking ? wait_change(p) : -EAGAIN;
	return error;
}

/* Waits until a page could be added; also -EPIPE. */
static int wait_writable(struct pipe *p, bool wait)
{
	int error = 0;

	while (!error && p->readers > 0 && (p->filling || p->used == p->nslots))
		error = wait || p->filling ? wait_change(p) : -EAGAIN;
	return !error && p->readers == 0 ? -EPIPE : error;
}

ssize pipe_take_some(struct file *f, struct uio *uio, bool wait)
{
	struct pipe *p = f->data;

	mutex_lock(&p->lock);
	ssize n = wait_readable(p, wait);
	if (!n) {
		n = take(p, uio);
		wake_sleepers(p, POLL_ROOM);
	}
	mutex_unlock(&p->lock);
	return n;
}

ssize pipe_put_some(struct file *f, struct uio *uio, bool wait)
{
	struct pipe *p = f->data;

	mutex_lock(&p->lock);
	ssize n = wait_writable(p, wait);
	if (!n) {
		n = put(p, uio, false);
		wake_sleepers(p, POLL_DATA);
	}
	mutex_unlock(&p->lock);
	return n;
}

/* The pages stay where they are while the file takes their bytes: nobody else does. */
ssize pipe_to_file(struct file *in, struct file *out, uint64_t *pos, size_t n, bool wait)
{
	struct pipe *p = in->data;
	size_t done = 0;

	mutex_lock(&p->lock);
	ssize moved = wait_readable(p, wait);
	if (moved) {
		mutex_unlock(&p->lock);
		return moved;
	}
	p->taking = true;
	while (done < n && p->used > 0) {
		struct slot s = *slot_at(p, 0);
		size_t wanted = s.len < n - done ? s.len : n - done;
		struct uio uio = uio_kernel(s.page + s.start, wanted);

		mutex_unlock(&p->lock);
		moved = file_write(out, &uio, pos);
		mutex_lock(&p->lock);
		if (moved <= 0)
			break;
		consume(p, (size_t)moved);
		done += (size_t)moved;
		if ((size_t)moved < wanted)
			break;
	}
	p->taking = false;
	wake_sleepers(p, POLL_ROOM);
	mutex_unlock(&p->lock);
	return done ? (ssize)done : moved;
}

ssize pipe_from_file(struct file *out, struct file *in, uint64_t *pos, size_t n, bool wait)
{
	struct pipe *p = out->data;
	size_t done = 0;

	mutex_lock(&p->lock);
	ssize moved = wait_writable(p, wait);
	if (moved) {
		mutex_unlock(&p->lock);
		return moved;
	}
	p->filling = true;
	while (done < n && p->used < p->nslots && p->readers > 0) {
		size_t wanted = PAGE_SIZE < n - done ? PAGE_SIZE : n - done;

		mutex_unlock(&p->lock);
		char *page = reclaim_keep_free() ? kmalloc(PAGE_SIZE) : NULL;
		struct uio uio = uio_kernel(page, wanted);
		moved = page ? file_read(in, &uio, pos) : -ENOMEM;
		mutex_lock(&p->lock);
		if (moved <= 0) {
			kfree(page);
			break;
		}
		*slot_at(p, p->used++) = (struct slot){ .page = page, .len = (size_t)moved };
		done += (size_t)moved;
		wake_sleepers(p, POLL_DATA);
		if ((size_t)moved < wanted)
			break;
	}
	p->filling = false;
	wake_sleepers(p, POLL_DATA);
	mutex_unlock(&p->lock);
	return done ? (ssize)done : moved;
}

static void lock_two(struct pipe *a, struct pipe *b)
{
	mutex_lock(a < b ? &a->lock : &b->lock);
	mutex_lock_nested(a < b ? &b->lock : &a->lock);
}

/* A page with the first n bytes of a slot: the slot's own, if it may go and goes as a whole. */
static char *page_for(const struct slot *s, size_t n, bool keep)
{
	if (!keep && n == s->len)
		return s->page;
	char *page = kmalloc(PAGE_SIZE);
	if (page)
		memcpy(page + s->start, s->page + s->start, n);
	return page;
}

/* Both are locked, and ready. */
static ssize move_slots(struct pipe *in, struct pipe *out, size_t n, bool keep)
{
	size_t done = 0;

	for (unsigned i = 0; done < n && i < in->used && out->used < out->nslots; i += keep) {
		struct slot *s = slot_at(in, i);
		size_t moved = s->len < n - done ? s->len : n - done;
		char *page = page_for(s, moved, keep);

		if (!page)
			return done ? (ssize)done : -ENOMEM;
		*slot_at(out, out->used++) = (struct slot){ .page = page, .start = s->start, .len = moved, .packet = s->packet };
		done += moved;
		if (page == s->page) {
			in->head = (in->head + 1) & (in->nslots - 1);
			in->used--;
		} else if (!keep) {
			consume(in, moved);
		}
	}
	return (ssize)done;
}

ssize pipe_to_pipe(struct file *from, struct file *to, size_t n, bool wait, bool keep)
{
	struct pipe *in = from->data, *out = to->data;
	ssize moved = 0;
	bool again;

	if (in == out)
		return -EINVAL;
	do {
		mutex_lock(&in->lock);
		moved = wait_readable(in, wait);
		mutex_unlock(&in->lock);
		if (moved)
			break;
		mutex_lock(&out->lock);
		moved = wait_writable(out, wait);
		mutex_unlock(&out->lock);
		if (moved)
			break;
		lock_two(in, out);
		again = in->taking || out->filling || (in->used == 0 && in->writers > 0) || (out->used == out->nslots && out->readers > 0);
		moved = again ? 0 : out->readers == 0 ? -EPIPE : move_slots(in, out, n, keep);
		wake_sleepers(in, keep ? 0 : POLL_ROOM);
		wake_sleepers(out, POLL_DATA);
		mutex_unlock(&in->lock);
		mutex_unlock(&out->lock);
	} while (again);
	return moved;
}
