/*
 * fs/unix_name.c - names of sockets; see unix.h.
 *
 * A path names a node of the file system, which is made by bind and knows its socket (vnode->socket) until that closes; the node stays.  An abstract name begins with a NUL, is compared
 * byte by byte, and is gone with its socket; each type of socket has its own.
 */
#include "fs/unix.h"
#include "fs/synth.h"
#include "lib/print.h"
#include "lib/string.h"

enum { AUTO_NAMES = 1 << 20, AUTO_DIGITS = 5 };

static bool is_path(const struct unix_name *n) { return n->addr.path[0] != '\0'; }

int unix_name_check(struct unix_name *n, size_t len)
{
	if (len <= UNIX_NAME_START || len > sizeof n->addr || n->addr.family != AF_UNIX)
		return -EINVAL;
	n->nul = '\0';
	n->len = len;
	if (is_path(n)) {
		if (len < sizeof n->addr)
			n->addr.path[len - UNIX_NAME_START] = '\0';
		n->len = UNIX_NAME_START + strlen(n->addr.path) + 1;		/* of 108 bytes the NUL is n->nul */
	}
	return 0;
}

/* The socket that is bound to this abstract name; unix_lock held. */
static struct unix_socket *find_abstract(const struct unix_name *n, int type)
{
	list_for_each(l, &unix_sockets) {
		struct unix_socket *s = container_of(l, struct unix_socket, all);
		if (s->bound && s->type == type && s->name.len == n->len && memcmp(&s->name.addr, &n->addr, n->len) == 0)
			return s;
	}
	return NULL;
}

static int find_node(struct fs_context *fs, const struct unix_name *n, struct vnode **out)
{
	int error = vfs_walk(fs, NULL, n->addr.path, WALK_FOLLOW, out);

	if (error)
		return error;
	error = vfs_permission(fs, *out, MAY_WRITE);
	if (!error && !S_ISSOCK((*out)->mode))
		error = -ECONNREFUSED;
	if (error)
		vnode_put(*out);
	return error;
}

int unix_find(struct fs_context *fs, const struct unix_name *n, int type, struct unix_socket **out)
{
	struct vnode *node = NULL;
	int error = is_path(n) ? find_node(fs, n, &node) : 0;

	if (error)
		return error;
	spin_lock(&unix_lock);
	struct unix_socket *s = node ? node->socket : find_abstract(n, type);
	if (!s)
		error = -ECONNREFUSED;
	else if (s->type != type)
		error = -EPROTOTYPE;
	else
		*out = unix_ref(s);
	spin_unlock(&unix_lock);
	vnode_put(node);
	return error;
}

/* ---- binding ----------------------------------------------------------------------------------------------------------- */

/* It gets the name, unless it has one; unix_lock held. */
static int take_name(struct unix_socket *s, const struct unix_name *n)
{
	if (s->name.len)
		return -EINVAL;
	s->name = *n;
	s->bound = true;
	return 0;
}

static int bind_abstract(struct unix_socket *s, const struct unix_name *n)
{
	spin_lock(&unix_lock);
	int error = s->name.len ? -EINVAL : find_abstract(n, s->type) ? -EADDRINUSE : take_name(s, n);
	spin_unlock(&unix_lock);
	return error;
}

static int bind_path(struct unix_socket *s, struct fs_context *fs, const struct unix_name *n)
{
	struct vnode *node;
	int error = vfs_make_node(fs, n->addr.path, S_IFSOCK | (s->file->vnode->mode & 07777), &node);

	if (error)
		return error == -EEXIST ? -EADDRINUSE : error;
	spin_lock(&unix_lock);
	error = take_name(s, n);
	if (!error) {
		node->socket = s;
		s->node = node;
	}
	spin_unlock(&unix_lock);
	if (error) {
		vfs_unlink(fs, NULL, n->addr.path, UNLINK_FILE);
		vnode_put(node);
	}
	return error;
}

int unix_bind(struct unix_socket *s, struct fs_context *fs, const struct unix_name *n)
{
	return is_path(n) ? bind_path(s, fs, n) : bind_abstract(s, n);
}

int unix_autobind(struct unix_socket *s)
{
	static unsigned last;			/* unix_lock */
	struct unix_name n = { .addr.family = AF_UNIX, .len = UNIX_NAME_START + 1 + AUTO_DIGITS };
	int error = -ENOSPC;

	spin_lock(&unix_lock);
	for (unsigned tries = 0; tries < AUTO_NAMES && error && !s->name.len; tries++) {
		snprintf(n.addr.path + 1, AUTO_DIGITS + 1, "%05x", ++last % AUTO_NAMES);
		error = find_abstract(&n, s->type) ? -ENOSPC : take_name(s, &n);
	}
	if (s->name.len)
		error = 0;
	spin_unlock(&unix_lock);
	return error;
}

void unix_unbind(struct unix_socket *s)
{
	s->bound = false;
	if (s->node)
		s->node->socket = NULL;
}

/* ---- /proc/net/unix ---------------------------------------------------------------------------------------------------- */

/* SS_* of Linux: unconnected, connecting, connected; without a file: connecting or going. */
static unsigned shown_state(const struct unix_socket *s)
{
	return s->file ? (s->state == UNIX_CONNECTED ? 3 : 1) : s->state == UNIX_CONNECTED ? 2 : 4;
}

void unix_print_all(struct text *t)
{
	enum { ACCEPTS = 0x10000 };

	text_print(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	spin_lock(&unix_lock);
	list_for_each(l, &unix_sockets) {
		const struct unix_socket *s = container_of(l, struct unix_socket, all);
		size_t n = s->name.len ? s->name.len - UNIX_NAME_START - is_path(&s->name) : 0;

		text_print(t, "0000000000000000: %08X %08X %08X %04X %02X %5lu", s->refs + 1 /* as Linux counts them */, 0, s->state == UNIX_LISTENING ? ACCEPTS : 0, (unsigned)s->type,
			shown_state(s), s->file ? (unsigned long)s->file->vnode->ino : 0);
		if (n)
			text_append(t, " ", 1);
		for (size_t i = 0; i < n; i++)
			text_append(t, s->name.addr.path[i] ? &s->name.addr.path[i] : "@", 1);
		text_append(t, "\n", 1);
	}
	spin_unlock(&unix_lock);
}
