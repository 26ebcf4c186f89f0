/*
 * kernel/pty.c - pseudo-terminals: a terminal whose other side, the master, is a file that a program has open.
 *
 *	write(master) -> line discipline -> queue -> read(slave)
 *	read(master)  <- ring of output <- output processing, echo <- write(slave)
 *
 * Opening /dev/ptmx makes a pair, locked (TIOCSPTLCK), with a node /dev/pts/N for the slave.  When the master closes, the node goes and the terminal hangs up.  When the last
 * file of the slave closes, the master reads what is left, then EIO, until the slave is opened again.  The pair goes, and its number is free, with the last file of either.
 *
 * In packet mode (TIOCPKT) a read of the master gives one byte first: 0 and data behind it, or, alone, what has happened to the slave.
 *
 * Locks: the slave's tty->lock for all of a pair; pty_lock (spinlock) for the table of pairs.  A reference is taken from the table only while there is another (pty_find).
 */
#include "arch/uaccess.h"
#include "fs/dev.h"
#include "fs/tmpfs.h"
#include "kernel/files.h"
#include "kernel/sched.h"
#include "kernel/sys_file.h"
#include "kernel/tty.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { PTYS_MAX = 256, OUTPUT_BYTES = 4096, CHUNK = 256, NAME_BYTES_MAX = 12 };
enum { MAJOR_PTMX = 5, MINOR_PTMX = 2, MAJOR_PTS = 136, GROUP_TTY = 5 };

struct pty {
	struct tty tty;			/* the slave */
	unsigned index;
	bool locked;			/* the slave cannot be opened yet */
	bool packets;			/* packet mode */
	unsigned happened;		/* there: TIOCPKT_* not told yet */
	struct vnode *node;		/* /dev/pts/N, referenced; NULL once the master has closed */
	unsigned tail, head;		/* positions in output, which count up for ever: next to read, next free */
	char output[OUTPUT_BYTES];
};

static struct spinlock pty_lock = SPINLOCK_INIT("ptys", RANK_LEAF);
static struct pty *ptys[PTYS_MAX];		/* pty_lock */
LOCK_GUARDS(pty_lock, ptys);
static struct mount *pts;			/* /dev/pts; set at boot */
static struct vnode_ops pts_ops;		/* its root's: as tmpfs's, but nothing can be changed; set at boot */

static struct pty *pty_of(const struct tty *t) { return container_of(t, struct pty, tty); }

/* ---- the slave's driver -------------------------------------------------------------------- */

static size_t pty_room(const struct tty *t)
{
	const struct pty *p = pty_of(t);
	return OUTPUT_BYTES - (p->head - p->tail);
}

static void pty_output(struct tty *t, const char *bytes, size_t n)
{
	struct pty *p = pty_of(t);
	for (size_t i = 0; i < n; i++)
		p->output[p->head++ % OUTPUT_BYTES] = bytes[i];
	wake_all(&t->changed);
}

static void pty_want_input(struct tty *t)
{
	wake_all(&t->changed);
}

/* Of two that contradict each other the last counts. */
static void pty_tell(struct tty *t, unsigned what)
{
	static const struct { unsigned one, other; } opposite[] = { { TIOCPKT_STOP, TIOCPKT_START }, { TIOCPKT_NOSTOP, TIOCPKT_DOSTOP } };
	struct pty *p = pty_of(t);

	if (!p->packets)
		return;
	for (size_t i = 0; i < sizeof opposite / sizeof *opposite; i++)
		if (what & (opposite[i].one | opposite[i].other))
			p->happened &= ~(opposite[i].one | opposite[i].other);
	p->happened |= what;
	wake_all(&t->changed);
}

static int pty_may_open(const struct tty *t)
{
	return t->gone || pty_of(t)->locked ? -EIO : 0;
}

/* The number is free; pty_find has not found the pair since the last reference went. */
static void pty_free(struct tty *t)
{
	struct pty *p = pty_of(t);

	spin_lock(&pty_lock);
	ptys[p->index] = NULL;
	spin_unlock(&pty_lock);
	kfree(p);
}

static const struct tty_driver pty_driver = {
	.room = pty_room, .write = pty_output, .want_input = pty_want_input, .tell = pty_tell, .may_open = pty_may_open,
	.free = pty_free, .cflag_on = CS8 | CREAD, .cflag_off = CSIZE | PARENB,
};

/* The pair of this number, referenced; NULL: there is none. */
static struct pty *pty_find(uint64_t index)
{
	spin_lock(&pty_lock);
	struct pty *p = index < PTYS_MAX ? ptys[index] : NULL;
	unsigned refs = p ? __atomic_load_n(&p->tty.refs, __ATOMIC_RELAXED) : 0;
	while (refs && !__atomic_compare_exchange_n(&p->tty.refs, &refs, refs + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		;
	spin_unlock(&pty_lock);
	return refs ? p : NULL;
}

static int open_slave(struct file *f)
{
	struct pty *p = pty_find(f->vnode->rdev - makedev64(MAJOR_PTS, 0));
	int error = p ? tty_open(f, &p->tty, TTY_HANGS_UP) : -EIO;

	if (error)
		tty_put(p ? &p->tty : NULL);
	else
		tty_adopt(f, &p->tty);
	return error;
}

static const struct file_ops slave_ops = TTY_OPS(open_slave);

/* ---- reading and writing the master -------------------------------------------------------- */

/* Is there something to read, or the end?  0: yes; -EAGAIN; -EIO. tty->lock held. */
static int readable(const struct pty *p)
{
	if (p->head != p->tail || p->happened)
		return 0;
	return p->tty.was_open && !p->tty.opens ? -EIO : -EAGAIN;
}

/* Sleeps until something has changed; tty->lock is held, and dropped meanwhile. */
static int await_change(struct file *f, struct tty *t)
{
	if (f->flags & OPEN_NONBLOCK)
		return -EAGAIN;
	wait_prepare(&t->changed);
	mutex_unlock(&t->lock);
	int error = wait_sleep(&t->changed, WAIT_INTERRUPTIBLE);
	wait_finish(&t->changed);
	mutex_lock(&t->lock);
	return error;
}

/* Up to n bytes, with the byte of packet mode.  tty->lock held. */
static size_t take_output(struct pty *p, char *to, size_t n)
{
	size_t taken = 0;

	if (p->packets) {
		to[taken++] = (char)p->happened;
		if (p->happened) {
			p->happened = 0;
			return taken;
		}
	}
	while (taken < n && p->tail != p->head)
		to[taken++] = p->output[p->tail++ % OUTPUT_BYTES];
	return taken;
}

static ssize master_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct tty *t = tty_of(f);
	size_t room = uio->left < OUTPUT_BYTES ? uio->left : OUTPUT_BYTES, n = 0, moved = 0;
	char few[CHUNK], *bytes = room > CHUNK ? kmalloc(room) : few;
	int error;
	(void)pos;

	if (!bytes)
		return -ENOMEM;
	mutex_lock(&t->lock);
	while ((error = room ? readable(pty_of(t)) : 0) == -EAGAIN) {
		error = await_change(f, t);
		if (error)
			break;
	}
	if (!error && room)
		n = take_output(pty_of(t), bytes, room);
	mutex_unlock(&t->lock);
	if (n) {
		wake_all(&t->changed);			/* there is room for output */
		moved = uio_out(uio, bytes, n);
	}
	if (bytes != few)
		kfree(bytes);
	return error ? error : moved || !n ? (ssize)moved : -EFAULT;
}

/* All of it is typed, unless an error comes before. */
static int type_chunk(struct file *f, struct tty *t, const char *bytes, size_t n, ssize *done)
{
	int error = 0;

	mutex_lock(&t->lock);
	for (size_t i = 0; i < n && !error; ) {
		if (!tty_input_full(t)) {
			tty_type(t, (uint8_t)bytes[i++]);
			++*done;
			continue;
		}
		wake_all(&t->changed);
		error = await_change(f, t);
	}
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	return error;
}

static ssize master_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct tty *t = tty_of(f);
	char bytes[CHUNK];
	ssize done = 0;
	int error = 0;
	(void)pos;

	while (uio->left && !error) {
		size_t n = uio_in(uio, bytes, CHUNK);
		error = n ? type_chunk(f, t, bytes, n, &done) : -EFAULT;
	}
	return done ? done : error;
}

static unsigned master_poll(struct file *f, struct waitq **queue)
{
	struct tty *t = tty_of(f);
	const struct pty *p = pty_of(t);
	unsigned events = 0;

	*queue = &t->changed;
	mutex_lock(&t->lock);
	if (p->head != p->tail)
		events |= POLL_IN | POLL_READ_NORMAL;
	if (p->happened)
		events |= POLL_PRI | POLL_IN | POLL_READ_NORMAL;
	if (t->was_open && !t->opens)
		events |= POLL_HUP;
	if (!tty_input_full(t))
		events |= POLL_OUT | POLL_WRITE_NORMAL;
	mutex_unlock(&t->lock);
	return events;
}

/* ---- requests to the master ---------------------------------------------------------------- */

enum master_flag { FLAG_LOCKED, FLAG_PACKETS };

static bool *flag_of(struct pty *p, enum master_flag which)
{
	return which == FLAG_LOCKED ? &p->locked : &p->packets;
}

static long set_flag(struct tty *t, enum master_flag which, vaddr_t from)
{
	int32_t on;
	bool *flag = flag_of(pty_of(t), which);

	if (user_get(on, from))
		return -EFAULT;
	mutex_lock(&t->lock);
	if (which == FLAG_PACKETS && (!on || !*flag))
		pty_of(t)->happened = 0;
	*flag = on;
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	return 0;
}

static long get_flag(struct tty *t, enum master_flag which, vaddr_t to)
{
	int32_t on = *flag_of(pty_of(t), which);
	return user_put(to, on);
}

/* TIOCGPTPEER: a descriptor of the slave, whatever /dev/pts is called here. */
static long open_peer(struct tty *t, unsigned flags)
{
	struct file *f;
	int error = vfs_open_vnode(my_fs(), pty_of(t)->node, flags, &f);

	if (error)
		return error;
	int fd = files_install(current->files, f, 0, flags & OPEN_CLOSE_ON_EXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* Those that can be typed. */
static long send_signal(struct tty *t, unsigned long signo)
{
	if (signo != SIGINT && signo != SIGQUIT && signo != SIGTSTP)
		return -EINVAL;
	tty_signal_foreground(t, (int)signo);
	return 0;
}

/* What the slave has put out, and what it has not read, are the master's input and output. */
static long flush_master(struct tty *t, unsigned long what)
{
	if (what > TCIOFLUSH)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (what != TCOFLUSH)
		pty_of(t)->tail = pty_of(t)->head;
	if (what != TCIFLUSH)
		tty_flush_input(t);
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	return 0;
}

static long unread_output(struct tty *t, vaddr_t to)
{
	const struct pty *p = pty_of(t);

	mutex_lock(&t->lock);
	int32_t n = (int32_t)(p->head - p->tail);
	mutex_unlock(&t->lock);
	return user_put(to, n);
}

static long master_ioctl(struct file *f, unsigned command, unsigned long arg)
{
	struct tty *t = tty_of(f);
	const int32_t index = (int32_t)pty_of(t)->index;

	switch (command) {
	case TIOCGPTN:
		return user_put(arg, index);
	case TIOCSPTLCK:
		return set_flag(t, FLAG_LOCKED, arg);
	case TIOCGPTLCK:
		return get_flag(t, FLAG_LOCKED, arg);
	case TIOCPKT:
		return set_flag(t, FLAG_PACKETS, arg);
	case TIOCGPKT:
		return get_flag(t, FLAG_PACKETS, arg);
	case TIOCGPTPEER:
		return open_peer(t, (unsigned)arg);
	case TIOCSIG:
		return send_signal(t, arg);
	case TCFLSH:
		return flush_master(t, arg);
	case FIONREAD:
		return unread_output(t, arg);
	case TCXONC:
		return -ENOTTY;
	default:
		return tty_ioctl(f, t, TTY_MASTER, command, arg);
	}
}

/* ---- coming and going ------------------------------------------------------------------------ */

/* The master's lock of the directory may come after that of another directory: of /proc, by who has looked at descriptors there. */
static void remove_node(struct pty *p)
{
	char name[NAME_BYTES_MAX];
	size_t len = (size_t)snprintf(name, sizeof name, "%u", p->index);
	struct vnode *dir = pts->root;

	mutex_lock_nested(&dir->lock);
	mutex_lock_nested(&p->node->lock);
	tmpfs_unlink(dir, name, len, p->node);
	vnode_lose_link(p->node, dir, name, len);
	mutex_unlock(&p->node->lock);
	mutex_unlock(&dir->lock);
}

static void master_release(struct file *f)
{
	struct tty *t = tty_of(f);
	struct pty *p = pty_of(t);

	remove_node(p);
	mutex_lock(&t->lock);
	struct vnode *node = p->node;
	p->node = NULL;
	t->gone = true;
	mutex_unlock(&t->lock);
	tty_hang_up(t);
	vnode_put(node);
	tty_put(t);
}

static const struct file_ops master_ops = {
	.read = master_read, .write = master_write, .ioctl = master_ioctl, .seek = file_no_seek, .poll = master_poll, .release = master_release,
};

/* The lowest free number, which is the pair's now; -ENOSPC. */
static int take_number(struct pty *p)
{
	unsigned i = 0;

	spin_lock(&pty_lock);
	while (i < PTYS_MAX && ptys[i])
		i++;
	if (i < PTYS_MAX)
		ptys[i] = p;
	spin_unlock(&pty_lock);
	p->index = i;
	return i < PTYS_MAX ? 0 : -ENOSPC;
}

static int add_node(struct pty *p)
{
	char name[NAME_BYTES_MAX];
	size_t len = (size_t)snprintf(name, sizeof name, "%u", p->index);
	struct vnode *dir = pts->root;

	mutex_lock(&dir->lock);
	int error = tmpfs_create(dir, name, len, S_IFCHR | 0620, makedev64(MAJOR_PTS, p->index), &p->node);
	if (!error) {
		p->node->uid = current->euid;
		p->node->gid = GROUP_TTY;
		error = vnode_set_link(p->node, dir, name, len);
		if (error) {
			tmpfs_unlink(dir, name, len, p->node);
			vnode_put(p->node);
		}
	}
	mutex_unlock(&dir->lock);
	return error;
}

static int open_master(struct file *f)
{
	struct pty *p = pts ? kzalloc(sizeof *p) : NULL;

	if (!p)
		return -ENOMEM;
	tty_init(&p->tty, &pty_driver, 0);
	p->locked = true;
	int error = take_number(p);
	if (error) {
		kfree(p);
		return error;
	}
	p->tty.device = makedev64(MAJOR_PTS, p->index);
	error = add_node(p);
	if (error) {
		tty_put(&p->tty);
		return error;
	}
	f->ops = &master_ops;
	f->data = &p->tty;
	f->pos = ~(uint64_t)0;			/* it never hangs up itself */
	return 0;
}

static const struct file_ops ptmx_ops = { .open = open_master, .seek = file_no_seek };

void pty_init(void)
{
	dev_register("ptmx", makedev64(MAJOR_PTMX, MINOR_PTMX), 0666, &ptmx_ops);
	dev_register_range(makedev64(MAJOR_PTS, 0), PTYS_MAX, &slave_ops);
}

/* ---- /dev/pts ---------------------------------------------------------------------------------- */

static int pts_statfs(struct mount *m, struct linux_statfs *s)
{
	(void)m;
	s->type = STATFS_DEVPTS;
	return 0;
}

struct mount *pty_mount(void)
{
	struct mount *m = tmpfs_mount();

	if (!m || tmpfs_add(m, "ptmx", S_IFCHR, makedev64(MAJOR_PTMX, MINOR_PTMX)))
		return NULL;
	m->type = m->source = "devpts";
	m->statfs = pts_statfs;
	m->root->mode = S_IFDIR | 0755;
	pts_ops = tmpfs_ops;
	pts_ops.create = NULL;
	pts_ops.symlink = NULL;
	pts_ops.link = NULL;
	pts_ops.unlink = NULL;
	pts_ops.rename = NULL;
	m->root->ops = &pts_ops;
	pts = m;
	return m;
}
