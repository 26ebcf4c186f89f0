/*
 * fs/unix.c - AF_UNIX sockets: their life, connections, and what they are ready for; see unix.h.
 *
 * A connection is two sockets that are each other's peer.  A stream that connects makes the other one itself and puts it into the listener's list, connected: it can send before
 * anybody accepts.  A socket that closes leaves its peer with its own name and with both directions shut; unread bytes make that an error (ECONNRESET), once.
 */
#include "fs/unix.h"
#include "arch/time.h"
#include "arch/uaccess.h"
#include "fs/synth.h"
#include "lib/assert.h"
#include "vm/heap.h"

enum { DATAGRAMS_MAX = 10, IOCTL_READABLE_BYTES = 0x541b, IOCTL_UNSENT_BYTES = 0x5411 };

struct spinlock unix_lock = SPINLOCK_INIT("unix sockets", RANK_LEAF);
struct list unix_sockets = LIST_INIT(unix_sockets);
LOCK_GUARDS(unix_lock, unix_sockets);

static const struct ucred64 nobody = { 0, ~0u, ~0u };

/* ---- coming and going -------------------------------------------------------------------------------------------------- */

/* With one reference, in no list yet; NULL: no memory. */
static struct unix_socket *socket_new(int type)
{
	struct unix_socket *s = kzalloc(sizeof *s);

	if (!s)
		return NULL;
	s->refs = 1;
	s->type = type;
	s->backlog = DATAGRAMS_MAX;
	s->peer_cred = nobody;
	s->options.send_buffer = s->options.receive_buffer = UNIX_BUFFER;
	s->options.send_timeout_ns = s->options.receive_timeout_ns = TIME_NEVER;
	s->options.low_water = 1;
	list_init(&s->all);
	list_init(&s->clients);
	list_init(&s->client);
	list_init(&s->queue);
	list_init(&s->pending);
	list_init(&s->flying);
	list_init(&s->work);
	mutex_init(&s->reading, "unix reading", RANK_PIPE);
	waitq_init(&s->changed);
	waitq_init(&s->room);
	return s;
}

void unix_put(struct unix_socket *s)
{
	if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	assert(!s->peer && !s->node && !s->in_flight && list_empty(&s->queue) && list_empty(&s->clients));
	kfree(s);
}

void unix_set_peer(struct unix_socket *s, struct unix_socket *peer)
{
	struct unix_socket *old = s->peer;

	list_remove(&s->client);
	s->peer = peer ? unix_ref(peer) : NULL;
	if (peer)
		list_append(&peer->clients, &s->client);
	unix_put(old);
}

/* The peer learns that nobody is there any more.  unix_lock held. */
static void leave_peer(struct unix_socket *s)
{
	struct unix_socket *peer = s->peer;

	if (peer && unix_by_connection(s)) {
		peer->shut = UNIX_SHUT;
		if (!list_empty(&s->queue) || !s->file)
			peer->error = ECONNRESET;
		unix_wake(peer, ~0u);
	}
	unix_set_peer(s, NULL);
}

/* unix_lock held. */
static void retire(struct unix_socket *s)
{
	struct list *l;

	leave_peer(s);
	s->dead = true;
	s->shut = UNIX_SHUT;
	s->state = UNIX_IDLE;
	s->file = NULL;
	list_remove(&s->all);
	unix_unbind(s);
	unix_drop_messages(s);
	unix_wake(s, ~0u);
	unix_wake_senders(s);
	while ((l = list_pop(&s->pending))) {
		struct unix_socket *waiting = container_of(l, struct unix_socket, pending);
		retire(waiting);		/* no listener itself: this ends here */
		unix_put(waiting);
	}
}

static void unix_release(struct file *f)
{
	struct unix_socket *s = f->data;

	if (!s)
		return;				/* nothing came to be accepted */
	spin_lock(&unix_lock);
	retire(s);
	struct vnode *node = s->node;
	s->node = NULL;
	spin_unlock(&unix_lock);
	vnode_put(node);
	unix_put(s);
	unix_put_rights();
	unix_collect();
}

/* ---- waiting and waking ------------------------------------------------------------------------------------------------ */

void unix_wake(struct unix_socket *s, unsigned events)
{
	file_wake(&s->changed, events);
}

void unix_wake_senders(struct unix_socket *s)
{
	wake_all(&s->room);
	list_for_each(l, &s->clients)
		unix_wake(container_of(l, struct unix_socket, client), POLL_ROOM);
}

uint64_t unix_deadline(uint64_t timeout_ns, unsigned flags)
{
	uint64_t now = time_now_ns();

	return flags & OPEN_NONBLOCK ? 0 : timeout_ns >= TIME_NEVER - now ? TIME_NEVER : now + timeout_ns;
}

int unix_sleep(struct waitq *q, uint64_t deadline)
{
	int error = deadline ? wait_sleep_until(q, WAIT_INTERRUPTIBLE, deadline) : -ETIMEDOUT;

	if (error == -ETIMEDOUT)
		return -EAGAIN;
	return error == -EINTR && deadline != TIME_NEVER ? -EINTR_FINAL : error;
}

int unix_take_error(struct unix_socket *s)
{
	int error = s->error;

	s->error = 0;
	return -error;
}

bool unix_full(const struct unix_socket *s)
{
	return (s->state == UNIX_LISTENING ? s->npending : s->queued) > s->backlog;
}

/* unix_lock held. */
static bool may_send(const struct unix_socket *s)
{
	const struct unix_socket *peer = s->peer;

	if (s->state == UNIX_LISTENING || s->sending * 4 > s->options.send_buffer)
		return false;
	return s->type == SOCK_STREAM || !peer || peer->peer == s || !unix_full(peer);
}

static unsigned unix_poll(struct file *f, struct waitq **queue)
{
	struct unix_socket *s = f->data;
	unsigned events = 0;

	*queue = &s->changed;
	spin_lock(&unix_lock);
	if (s->error)
		events |= POLL_ERR;
	if (s->shut == UNIX_SHUT || (unix_by_connection(s) && s->state == UNIX_IDLE))
		events |= POLL_HUP;
	if (s->shut & UNIX_NO_RECEIVE)
		events |= POLL_READ_HUP | POLL_DATA;
	if (!list_empty(&s->queue) || !list_empty(&s->pending))
		events |= POLL_DATA;
	if (may_send(s))
		events |= POLL_ROOM;
	spin_unlock(&unix_lock);
	return events;
}

/* ---- as files ---------------------------------------------------------------------------------------------------------- */

static ssize unix_read_parts(struct file *f, struct parts *to)
{
	struct unix_in in = { .flags = f->flags };

	if (parts_left(to) == 0)
		return 0;
	ssize n = unix_receive(f->data, to, &in);
	unix_rights_doom(in.rights);
	unix_put_rights();
	return n;
}

static ssize unix_write_parts(struct file *f, struct parts *from)
{
	struct unix_out out = { .flags = f->flags };

	return unix_send(f->data, from, &out);
}

static ssize unix_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct parts to = { uio, 1 };
	(void)pos;
	return unix_read_parts(f, &to);
}

static ssize unix_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct parts from = { uio, 1 };
	(void)pos;
	return unix_write_parts(f, &from);
}

static long unix_ioctl(struct file *f, unsigned command, unsigned long arg)
{
	struct unix_socket *s = f->data;
	int n;

	switch (command) {
	case IOCTL_READABLE_BYTES:
		n = unix_readable(s);
		return n < 0 ? n : user_put(arg, n);
	case IOCTL_UNSENT_BYTES:
		n = (int)__atomic_load_n(&s->sending, __ATOMIC_RELAXED);
		return user_put(arg, n);
	default:
		return -ENOTTY;
	}
}

static const struct file_ops unix_ops = {
	.read = unix_read, .write = unix_write, .read_parts = unix_read_parts, .write_parts = unix_write_parts, .ioctl = unix_ioctl,
	.seek = file_no_seek, .poll = unix_poll, .release = unix_release,
};

struct unix_socket *unix_of(const struct file *f)
{
	return f->ops == &unix_ops && !(f->flags & OPEN_PATH) ? f->data : NULL;
}

static int socket_statfs(struct mount *m, struct linux_statfs *s)
{
	(void)m;
	s->type = STATFS_SOCKET;
	return 0;
}

static struct mount socket_mount = { .type = "sockfs", .source = "none", .statfs = socket_statfs };
static const struct vnode_ops socket_vnode_ops = { .setattr = vnode_setattr };
static uint64_t socket_numbers;			/* atomic */

/* A file that is not a socket yet: it has no data. */
static struct file *file_for_socket(unsigned flags)
{
	if (!__atomic_load_n(&socket_mount.dev, __ATOMIC_RELAXED))
		mount_number(&socket_mount);
	uint64_t ino = __atomic_add_fetch(&socket_numbers, 1, __ATOMIC_RELAXED);
	struct vnode *v = vnode_create(&socket_mount, &socket_vnode_ops, ino, S_IFSOCK | 0777, 0);
	struct file *f = v ? file_new(&unix_ops, v, OPEN_READ_WRITE | flags) : NULL;

	if (!f)
		vnode_put(v);
	return f;
}

int unix_open(int type, unsigned flags, struct file **out)
{
	struct unix_socket *s = socket_new(type);
	struct file *f = s ? file_for_socket(flags) : NULL;

	if (!f) {
		unix_put(s);
		return -ENOMEM;
	}
	f->data = s;
	s->file = f;
	spin_lock(&unix_lock);
	list_append(&unix_sockets, &s->all);
	spin_unlock(&unix_lock);
	*out = f;
	return 0;
}

/* unix_lock held. */
static void join(struct unix_socket *s, struct unix_socket *peer, const struct ucred64 *peer_cred)
{
	unix_set_peer(s, peer);
	s->state = UNIX_CONNECTED;
	s->peer_cred = *peer_cred;
}

int unix_open_pair(int type, unsigned flags, struct file *out[2])
{
	struct ucred64 me = unix_self_effective();
	int error = unix_open(type, flags, &out[0]);

	if (error)
		return error;
	error = unix_open(type, flags, &out[1]);
	if (error) {
		file_put(out[0]);
		return error;
	}
	spin_lock(&unix_lock);
	for (int i = 0; i < 2; i++)
		join(out[i]->data, out[1 - i]->data, &me);
	spin_unlock(&unix_lock);
	return 0;
}

/* ---- connections ------------------------------------------------------------------------------------------------------- */

/* The listener takes the connection of s, whose other side is `accepted`; -EAGAIN: it has too many. unix_lock held. */
static int connect_locked(struct unix_socket *s, struct unix_socket *listener, struct unix_socket *accepted, const struct ucred64 *me)
{
	if (listener->dead || listener->state != UNIX_LISTENING || listener->shut & UNIX_NO_RECEIVE)
		return -ECONNREFUSED;
	if (unix_full(listener))
		return -EAGAIN;
	if (s->state != UNIX_IDLE)
		return s->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	accepted->name = listener->name;
	join(accepted, s, me);
	join(s, accepted, &listener->peer_cred);
	list_append(&unix_sockets, &accepted->all);
	list_append(&listener->pending, &unix_ref(accepted)->pending);
	listener->npending++;
	unix_wake(listener, POLL_DATA);
	return 0;
}

static int connect_stream(struct unix_socket *s, struct fs_context *fs, const struct unix_name *to, uint64_t deadline)
{
	struct ucred64 me = unix_self_effective();
	struct unix_socket *accepted = socket_new(s->type), *listener;
	int error = 0, result = accepted ? -EAGAIN : -ENOMEM;

	while (result == -EAGAIN && !error) {
		result = unix_find(fs, to, s->type, &listener);
		if (result)
			break;
		wait_prepare(&listener->room);
		spin_lock(&unix_lock);
		result = connect_locked(s, listener, accepted, &me);
		spin_unlock(&unix_lock);
		if (result == -EAGAIN)
			error = unix_sleep(&listener->room, deadline);
		wait_finish(&listener->room);
		unix_put(listener);
	}
	unix_put(accepted);
	return error ? error : result;
}

/* Datagrams of its old peer are not wanted any more; one that sends here as well is told.  unix_lock held. */
static void dissolve(struct unix_socket *s, struct unix_socket *old)
{
	unix_drop_messages(s);
	if (old->peer == s && !old->dead) {
		old->error = ECONNRESET;
		unix_wake(old, POLL_ERR);
	}
}

static int connect_datagrams(struct unix_socket *s, struct fs_context *fs, const struct unix_name *to)
{
	struct unix_socket *peer = NULL;
	int error = to->len ? unix_find(fs, to, s->type, &peer) : 0;

	if (error)
		return error;
	spin_lock(&unix_lock);
	struct unix_socket *old = s->peer ? unix_ref(s->peer) : NULL;
	if (peer && peer->peer && peer->peer != s) {
		error = -EPERM;
	} else {
		unix_set_peer(s, peer);
		s->state = peer ? UNIX_CONNECTED : UNIX_IDLE;
		if (peer)
			peer->state = UNIX_CONNECTED;
		if (old && old != peer)
			dissolve(s, old);
		unix_wake(s, POLL_ROOM);
	}
	spin_unlock(&unix_lock);
	unix_put_rights();
	unix_put(old);
	unix_put(peer);
	return error;
}

int unix_connect(struct unix_socket *s, struct fs_context *fs, const struct unix_name *to, unsigned flags)
{
	int error = to->len && unix_option(s, SO_PASSCRED) ? unix_autobind(s) : 0;

	if (error)
		return error;
	if (!unix_by_connection(s))
		return connect_datagrams(s, fs, to);
	return to->len ? connect_stream(s, fs, to, unix_deadline(s->options.send_timeout_ns, flags)) : -EINVAL;
}

int unix_listen(struct unix_socket *s, unsigned backlog)
{
	struct ucred64 me = unix_self_effective();
	int error = 0;

	if (!unix_by_connection(s))
		return -EOPNOTSUPP;
	spin_lock(&unix_lock);
	if (!s->name.len || s->state == UNIX_CONNECTED) {
		error = -EINVAL;
	} else {
		s->state = UNIX_LISTENING;
		s->backlog = backlog;
		s->peer_cred = me;
		unix_wake_senders(s);
	}
	spin_unlock(&unix_lock);
	return error;
}

/* The next connection, with its reference; NULL: see *error. */
static struct unix_socket *next_connection(struct unix_socket *s, int *error)
{
	struct unix_socket *next = NULL;

	spin_lock(&unix_lock);
	struct list *l = s->state == UNIX_LISTENING ? list_pop(&s->pending) : NULL;
	if (l) {
		next = container_of(l, struct unix_socket, pending);
		s->npending--;
		wake_all(&s->room);
	}
	*error = l ? 0 : s->state != UNIX_LISTENING || s->shut & UNIX_NO_RECEIVE ? -EINVAL : -EAGAIN;
	spin_unlock(&unix_lock);
	return next;
}

/* The connection has a file now, and the file its reference. */
static void attach(struct unix_socket *s, struct file *f)
{
	spin_lock(&unix_lock);
	f->data = s;
	s->file = f;
	spin_unlock(&unix_lock);
}

int unix_accept(struct unix_socket *s, unsigned flags, unsigned new_flags, struct file **out)
{
	uint64_t deadline = unix_deadline(s->options.receive_timeout_ns, flags);
	struct file *f = unix_by_connection(s) ? file_for_socket(new_flags) : NULL;
	struct unix_socket *next;
	int error;

	if (!f)
		return unix_by_connection(s) ? -ENOMEM : -EOPNOTSUPP;
	do {
		wait_prepare(&s->changed);
		next = next_connection(s, &error);
		if (error == -EAGAIN)
			error = unix_sleep(&s->changed, deadline);
		wait_finish(&s->changed);
	} while (!next && !error);
	if (next)
		attach(next, f);
	else
		file_put(f);
	*out = f;
	return error;
}

/* Of a connection, what one side does not do any more the other cannot either, turned round. */
void unix_shutdown(struct unix_socket *s, unsigned what)
{
	unsigned turned = (what & UNIX_NO_RECEIVE ? UNIX_NO_SEND : 0) | (what & UNIX_NO_SEND ? UNIX_NO_RECEIVE : 0);

	spin_lock(&unix_lock);
	s->shut |= what;
	unix_wake(s, ~0u);
	if (s->peer && unix_by_connection(s)) {
		s->peer->shut |= turned;
		unix_wake(s->peer, ~0u);
	}
	spin_unlock(&unix_lock);
}
