/*
 * fs/unix_data.c - messages between sockets; see unix.h.
 *
 * To send: wait until the sender's buffer has room, take the bytes from the user into a message of one's own, then, under unix_lock, look whether the receiver still is what it was, and
 * put the message into its queue.  A stream is cut into pieces; a datagram goes as a whole, and waits for a receiver that has too many.
 *
 * To receive: with socket->reading held the first message stays where it is.  A stream's reader goes on into the next messages until it has enough, but not past descriptors, nor,
 * if it wants credentials, to another sender's.
 */
#include "fs/unix.h"
#include "lib/assert.h"
#include "vm/heap.h"
#include "vm/reclaim.h"

enum { PIECE = 4 * PAGE_SIZE - sizeof(struct unix_message), SMALL_PIECE = PAGE_SIZE - sizeof(struct unix_message),
	MESSAGE_CHARGE = 512, DATAGRAM_MARGIN = 32 };

/* ---- messages ---------------------------------------------------------------------------------------------------------- */

/* Bytes that the sender's buffer gets back may be enough for it to go on.  unix_lock held. */
static void give_back(struct unix_message *m)
{
	struct unix_socket *s = m->sender;

	s->sending -= m->charge;
	if (s->sending * 4 <= s->options.send_buffer)
		unix_wake(s, POLL_ROOM);
	unix_put(s);
}

/* One that is in no queue; unix_lock held.  unix_put_rights has to follow, without it. */
static void drop_locked(struct unix_message *m)
{
	give_back(m);
	unix_rights_doom(m->rights);
	kfree(m);
}

static void drop(struct unix_message *m)
{
	spin_lock(&unix_lock);
	drop_locked(m);
	spin_unlock(&unix_lock);
	unix_put_rights();
}

/* Takes it out of the queue of s.  unix_lock held. */
static void unqueue(struct unix_socket *s, struct unix_message *m)
{
	bool full = unix_full(s);

	list_remove(&m->link);
	s->queued--;
	if (full && !unix_full(s))
		unix_wake_senders(s);
}

/* What it carries has arrived, and is the caller's.  unix_lock held. */
static struct unix_rights *take_rights(struct unix_message *m)
{
	struct unix_rights *r = m->rights;

	if (r)
		unix_rights_arrive(r);
	m->rights = NULL;
	return r;
}

void unix_drop_messages(struct unix_socket *s)
{
	while (!list_empty(&s->queue)) {
		struct unix_message *m = container_of(s->queue.next, struct unix_message, link);
		unqueue(s, m);
		if (m->rights)
			unix_rights_arrive(m->rights);
		drop_locked(m);
	}
}

/* Waits until there is room to send.  An end that comes to be known here raises no signal, as on Linux. */
static int await_room(struct unix_socket *s, unsigned flags)
{
	uint64_t deadline = unix_deadline(s->options.send_timeout_ns, flags);
	int error;

	for (;;) {
		wait_prepare(&s->changed);
		spin_lock(&unix_lock);
		error = unix_take_error(s);
		if (!error)
			error = s->shut & UNIX_NO_SEND ? -EPIPE_QUIET : s->sending < s->options.send_buffer ? 0 : -EAGAIN;
		spin_unlock(&unix_lock);
		if (error != -EAGAIN)
			break;
		error = unix_sleep(&s->changed, deadline);
		if (error)
			break;
	}
	wait_finish(&s->changed);
	return error;
}

static struct unix_message *message_alloc(size_t len)
{
	struct unix_message *m = reclaim_keep_free() ? kmalloc(sizeof *m + len) : NULL;

	if (m)
		*m = (struct unix_message){ .link = LIST_INIT(m->link), .len = len, .charge = heap_usable_size(m) + MESSAGE_CHARGE };
	return m;
}

/* A message of the next len bytes, or, when memory has no such large piece and it may be less, of fewer; NULL: *error. */
static struct unix_message *compose(struct unix_socket *s, struct parts *from, size_t len, size_t at_least, struct unix_out *out, int *error)
{
	*error = await_room(s, out->flags);
	if (*error)
		return NULL;
	struct unix_message *m = message_alloc(len);
	if (!m && at_least < len)
		m = message_alloc(at_least);
	if (!m) {
		*error = -ENOBUFS;
		return NULL;
	}
	m->sender = unix_ref(s);
	m->cred = out->cred;
	spin_lock(&unix_lock);
	s->sending += m->charge;
	spin_unlock(&unix_lock);
	if (parts_in(from, m->data, m->len) == m->len)
		return m;
	drop(m);
	*error = -EFAULT;
	return NULL;
}

static bool asks_for_cred(const struct unix_socket *s)
{
	return !s->file || unix_option(s, SO_PASSCRED);
}

/* Into the receiver's queue, and with it what the sender passes: 0, -ETOOMANYREFS.  unix_lock held. */
static int post(struct unix_socket *to, struct unix_message *m, struct unix_out *out)
{
	int error = out->rights ? unix_rights_leave(out->rights, unix_rights_limit()) : 0;

	if (error)
		return error;
	m->rights = out->rights;
	out->rights = NULL;
	if (!m->cred.pid && (asks_for_cred(m->sender) || asks_for_cred(to)))
		m->cred = unix_self();
	list_append(&to->queue, &m->link);
	to->queued++;
	unix_wake(to, POLL_DATA);
	return 0;
}

/* ---- sending ----------------------------------------------------------------------------------------------------------- */

/* The peer, referenced; NULL: there is none. */
static struct unix_socket *peer_of(struct unix_socket *s)
{
	spin_lock(&unix_lock);
	struct unix_socket *peer = s->peer ? unix_ref(s->peer) : NULL;
	spin_unlock(&unix_lock);
	return peer;
}

static int send_piece(struct unix_socket *s, struct unix_socket *peer, struct parts *from, size_t len, struct unix_out *out, size_t *sent)
{
	int error;
	struct unix_message *m = compose(s, from, len, len < SMALL_PIECE ? len : SMALL_PIECE, out, &error);

	if (!m)
		return error;
	len = m->len;
	spin_lock(&unix_lock);
	error = peer->dead || peer->shut & UNIX_NO_RECEIVE ? -EPIPE : post(peer, m, out);
	spin_unlock(&unix_lock);
	if (error)
		drop(m);
	else
		*sent += len;
	return error;
}

static ssize send_stream(struct unix_socket *s, struct parts *from, struct unix_out *out)
{
	size_t total = parts_left(from), sent = 0;
	struct unix_socket *peer = peer_of(s);
	int error = out->to ? s->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP : !peer ? -ENOTCONN : s->shut & UNIX_NO_SEND ? -EPIPE : 0;

	while (sent < total && !error) {
		size_t most = s->options.send_buffer / 2 < PIECE ? s->options.send_buffer / 2 : PIECE;
		error = send_piece(s, peer, from, total - sent < most ? total - sent : most, out, &sent);
	}
	unix_put(peer);
	return sent ? (ssize)sent : error;
}

/* One try to hand a datagram over; -EAGAIN: the receiver has too many.  unix_lock held. */
static int post_datagram(struct unix_socket *s, struct unix_socket *to, struct unix_message *m, struct unix_out *out)
{
	if (to->peer && to->peer != s)
		return -EPERM;
	if (to->dead && unix_by_connection(s))
		return -EPIPE_QUIET;
	if (to->dead) {
		if (s->peer == to) {
			unix_set_peer(s, NULL);
			s->state = UNIX_IDLE;
			unix_drop_messages(s);
		}
		return -ECONNREFUSED;
	}
	if (to->shut & UNIX_NO_RECEIVE)
		return -EPIPE_QUIET;
	if (to != s && to->peer != s && unix_full(to))
		return -EAGAIN;
	return post(to, m, out);
}

static int deliver(struct unix_socket *s, struct unix_socket *to, struct unix_message *m, struct unix_out *out)
{
	uint64_t deadline = unix_deadline(s->options.send_timeout_ns, out->flags);
	int error;

	for (;;) {
		wait_prepare(&to->room);
		spin_lock(&unix_lock);
		error = post_datagram(s, to, m, out);
		spin_unlock(&unix_lock);
		if (error != -EAGAIN)
			break;
		error = unix_sleep(&to->room, deadline);
		if (error)
			break;
	}
	wait_finish(&to->room);
	unix_put_rights();
	return error;
}

/* Where a datagram goes, referenced. */
static int find_receiver(struct unix_socket *s, struct unix_out *out, struct unix_socket **to)
{
	if (out->to)
		return unix_find(out->fs, out->to, s->type, to);
	*to = peer_of(s);
	return *to ? 0 : -ENOTCONN;
}

static ssize send_datagram(struct unix_socket *s, struct parts *from, struct unix_out *out)
{
	size_t len = parts_left(from);
	struct unix_socket *to = NULL;
	int error = out->to ? 0 : find_receiver(s, out, &to);		/* a name is looked up last */

	if (!error && unix_option(s, SO_PASSCRED))
		error = unix_autobind(s);
	if (!error && len > s->options.send_buffer - DATAGRAM_MARGIN)
		error = -EMSGSIZE;
	struct unix_message *m = error ? NULL : compose(s, from, len, len, out, &error);
	if (m && !to)
		error = find_receiver(s, out, &to);
	if (m && !error)
		error = deliver(s, to, m, out);
	if (m && error)
		drop(m);
	unix_put(to);
	return error ? error : (ssize)len;
}

static ssize send_packet(struct unix_socket *s, struct parts *from, struct unix_out *out)
{
	spin_lock(&unix_lock);
	int error = unix_take_error(s);
	if (!error && s->state != UNIX_CONNECTED)
		error = -ENOTCONN;
	spin_unlock(&unix_lock);
	out->to = NULL;
	return error ? error : send_datagram(s, from, out);
}

ssize unix_send(struct unix_socket *s, struct parts *from, struct unix_out *out)
{
	switch (s->type) {
	case SOCK_STREAM:
		return send_stream(s, from, out);
	case SOCK_SEQPACKET:
		return send_packet(s, from, out);
	default:
		return send_datagram(s, from, out);
	}
}

/* ---- receiving --------------------------------------------------------------------------------------------------------- */

/* The message after this one (NULL: the first); NULL: there is none.  socket->reading is held, so it stays. */
static struct unix_message *message_after(struct unix_socket *s, const struct unix_message *m)
{
	spin_lock(&unix_lock);
	struct list *next = m ? m->link.next : s->queue.next;
	struct unix_message *found = next == &s->queue ? NULL : container_of(next, struct unix_message, link);
	spin_unlock(&unix_lock);
	return found;
}

/* Room for the copies that a peek makes of descriptors: NULL and 0: it carries none. */
static int room_for_rights(const struct unix_message *m, unsigned how, struct unix_rights **room)
{
	*room = how & MSG_PEEK && m->rights ? unix_rights_new(m->rights->n) : NULL;
	return how & MSG_PEEK && m->rights && !*room ? -ENOMEM : 0;
}

/* Notes who has sent it. */
static void tell_sender(const struct unix_message *m, struct unix_in *in)
{
	spin_lock(&unix_lock);
	in->from = m->sender->name;
	in->cred = m->cred;
	spin_unlock(&unix_lock);
}

static bool same_sender(const struct unix_message *m, const struct unix_in *in)
{
	return m->cred.pid == in->cred.pid && m->cred.uid == in->cred.uid && m->cred.gid == in->cred.gid;
}

/* Has nothing to be received: 0 at the end, or why not; -EAGAIN: not yet.  unix_lock held. */
static int nothing_there(struct unix_socket *s)
{
	int error = unix_take_error(s);

	return error ? error : s->shut & UNIX_NO_RECEIVE ? 0 : -EAGAIN;
}

/*
 * A read of a stream.  last: of a peek, the message that it has seen last.  done: bytes; the sender of the first of them is in `in`.
 */
struct stream_reader { struct parts *to; struct unix_in *in; size_t left, done; const struct unix_message *last; bool begun; };

/* Takes from one message: 1: to go on with the next, 0: it is enough; or -errno.  socket->reading is held. */
static int take_from(struct unix_socket *s, struct stream_reader *r, struct unix_message *m)
{
	size_t n = m->len - m->taken < r->left ? m->len - m->taken : r->left;
	struct unix_in *in = r->in;
	struct unix_rights *copy;

	if (r->begun && unix_option(s, SO_PASSCRED) && !same_sender(m, in))
		return 0;
	if (!r->begun)
		tell_sender(m, in);
	r->begun = true;
	int error = room_for_rights(m, in->how, &copy);
	if (!error && parts_out(r->to, m->data + m->taken, n) < n)
		error = -EFAULT;
	if (error) {
		kfree(copy);
		return error;
	}
	r->left -= n;
	r->done += n;
	spin_lock(&unix_lock);
	bool stop = m->rights || r->left == 0;
	if (in->how & MSG_PEEK) {
		in->rights = copy ? unix_rights_copy(m->rights, copy) : NULL;
		r->last = m;
	} else {
		in->rights = take_rights(m);
		m->taken += n;
		if (m->taken == m->len) {
			unqueue(s, m);
			drop_locked(m);
		}
	}
	spin_unlock(&unix_lock);
	return !stop;
}

/* Takes what is there: 1: there is no more. */
static int take_all(struct unix_socket *s, struct stream_reader *r)
{
	struct unix_message *m;
	int more = 1;

	mutex_lock(&s->reading);
	while (more == 1 && (m = message_after(s, r->last)))
		more = take_from(s, r, m);
	mutex_unlock(&s->reading);
	return more;
}

/* Waits for a message: 1: there may be one; 0: none will come, or there need not; or -errno. */
static int await_message(struct unix_socket *s, bool enough, uint64_t deadline)
{
	wait_prepare(&s->changed);
	spin_lock(&unix_lock);
	int result = !list_empty(&s->queue) ? 1 : enough ? 0 : nothing_there(s);
	spin_unlock(&unix_lock);
	if (result == -EAGAIN) {
		result = unix_sleep(&s->changed, deadline);
		result = result ? result : 1;
	}
	wait_finish(&s->changed);
	return result;
}

static ssize receive_stream(struct unix_socket *s, struct parts *to, struct unix_in *in)
{
	struct stream_reader r = { .to = to, .in = in, .left = parts_left(to) };
	size_t low = (size_t)s->options.low_water < r.left ? (size_t)s->options.low_water : r.left, target = in->how & MSG_WAITALL ? r.left : low;
	uint64_t deadline = unix_deadline(s->options.receive_timeout_ns, in->flags);
	int more = s->state == UNIX_CONNECTED ? 1 : -EINVAL;

	while (more == 1) {
		more = take_all(s, &r);
		if (more == 1 && r.last)
			more = 0;			/* a peek takes what there is */
		else if (more == 1)
			more = await_message(s, r.done >= (target ? target : 1), deadline);
	}
	return r.done ? (ssize)r.done : more;
}

/* The first message: in no queue any more, or, of a peek, still there.  NULL: *error. socket->reading is held. */
static struct unix_message *first_packet(struct unix_socket *s, struct unix_in *in, int *error)
{
	struct unix_message *m = NULL;

	spin_lock(&unix_lock);
	*error = unix_take_error(s);
	if (!*error && list_empty(&s->queue)) {
		*error = nothing_there(s);
		if (!*error && s->type == SOCK_DGRAM && in->flags & OPEN_NONBLOCK)
			*error = -EAGAIN;
	} else if (!*error) {
		m = container_of(s->queue.next, struct unix_message, link);
		if (!(in->how & MSG_PEEK)) {
			unqueue(s, m);
			in->rights = take_rights(m);
		}
	}
	spin_unlock(&unix_lock);
	return m;
}

/* Tells and copies out what it is; what does not fit is lost. */
static ssize read_packet(struct unix_message *m, struct parts *to, struct unix_in *in)
{
	size_t size = parts_left(to), n = m->len < size ? m->len : size;
	struct unix_rights *copy;
	int error = room_for_rights(m, in->how, &copy);

	tell_sender(m, in);
	if (!error && parts_out(to, m->data, n) < n)
		error = -EFAULT;
	if (error) {
		kfree(copy);
		return error;
	}
	if (copy)
		in->rights = unix_rights_copy(m->rights, copy);
	if (n < m->len)
		in->told |= MSG_TRUNC;
	return (ssize)(in->how & MSG_TRUNC ? m->len : n);
}

static ssize receive_packet(struct unix_socket *s, struct parts *to, struct unix_in *in)
{
	uint64_t deadline = unix_deadline(s->options.receive_timeout_ns, in->flags);
	struct unix_message *m;
	ssize n = 0;
	int error;

	if (s->type == SOCK_SEQPACKET && s->state != UNIX_CONNECTED)
		return -ENOTCONN;
	for (;;) {
		wait_prepare(&s->changed);
		mutex_lock(&s->reading);
		m = first_packet(s, in, &error);
		if (m) {
			wait_finish(&s->changed);	/* the copy may sleep for the user's memory */
			n = read_packet(m, to, in);
		}
		mutex_unlock(&s->reading);
		if (m || error != -EAGAIN)
			break;
		error = unix_sleep(&s->changed, deadline);
		if (error)
			break;
	}
	wait_finish(&s->changed);
	if (m && !(in->how & MSG_PEEK))
		drop(m);
	return m ? n : error;
}

ssize unix_receive(struct unix_socket *s, struct parts *to, struct unix_in *in)
{
	return s->type == SOCK_STREAM ? receive_stream(s, to, in) : receive_packet(s, to, in);
}

int unix_readable(struct unix_socket *s)
{
	size_t n = 0;

	spin_lock(&unix_lock);
	bool listens = s->state == UNIX_LISTENING;
	list_for_each(l, &s->queue) {
		const struct unix_message *m = container_of(l, struct unix_message, link);
		n += m->len - m->taken;
		if (s->type == SOCK_DGRAM)
			break;
	}
	spin_unlock(&unix_lock);
	return listens ? -EINVAL : (int)n;
}
