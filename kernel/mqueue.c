/*
 * kernel/mqueue.c - POSIX message queues, and /dev/mqueue, where each is a file.
 *
 * The file system is a tmpfs of which only the root directory and its files are used; a file's queue hangs on its node, and goes with it, when it has neither a name nor a user any more.
 *
 * Locks: a queue's own; queues_lock the list of all, from which a user's limit is computed.  Taken in the order: directory (vnode->lock), queues_lock, queue.
 */
#include "kernel/mqueue.h"
#include "fs/synth.h"
#include "fs/walk.h"
#include "kernel/capability.h"
#include "kernel/sched.h"
#include "kernel/settings.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { FILE_SIZE = 80, SI_MESGQ = -3 };		/* as on Linux: what read() tells has no more */

unsigned long mq_messages_max = 10, mq_size_max = 8192, mq_queues_max = 256, mq_messages_default = 10, mq_size_default = 8192;

static struct mutex queues_lock = { .rank = RANK_LEAF - 3, .name = "message queues" };
static struct list queues = LIST_INIT(queues);
static size_t nqueues;
static struct mount *mount;
static struct vnode_ops dir_ops, queue_ops;
static const struct file_ops mqueue_file_ops;

/* ---- making a queue ---------------------------------------------------------------------------- */

/* Linux's reckoning: the messages, what heads each, and a node of a tree for each priority. */
static size_t cost(const struct mq_attributes *a)
{
	enum { HEAD = 48, NODE = 48 };
	size_t max = (size_t)a->maxmsg;

	return max * (size_t)a->msgsize + max * HEAD + (max < MQ_PRIORITY_MAX ? max : MQ_PRIORITY_MAX) * NODE;
}

static bool valid(const struct mq_attributes *a)
{
	bool mighty = capable(CAP_SYS_RESOURCE);
	size_t most = mighty ? MQ_MESSAGES_HARD_MAX : mq_messages_max, largest = mighty ? MQ_SIZE_HARD_MAX : mq_size_max;

	return a->maxmsg > 0 && a->msgsize > 0 && (uint64_t)a->maxmsg <= most && (uint64_t)a->msgsize <= largest;
}

/* queues_lock is held. */
static size_t charged_to(uint32_t uid)
{
	size_t sum = 0;

	list_for_each(l, &queues) {
		const struct mqueue *q = container_of(l, struct mqueue, all);
		sum += q->uid == uid ? q->charged : 0;
	}
	return sum;
}

static int register_queue(struct mqueue *q)
{
	int error = 0;

	mutex_lock(&queues_lock);
	if (nqueues >= mq_queues_max && !capable(CAP_SYS_RESOURCE))
		error = -ENOSPC;
	else if (charged_to(q->uid) + q->charged > current->limits[LIMIT_MSGQUEUE].cur)
		error = -EMFILE;
	if (!error) {
		list_append(&queues, &q->all);
		nqueues++;
	}
	mutex_unlock(&queues_lock);
	return error;
}

static void free_queue(struct mqueue *q)
{
	mutex_lock(&queues_lock);
	list_remove(&q->all);
	nqueues--;
	mutex_unlock(&queues_lock);
	for (struct list *l; (l = list_pop(&q->messages)); )
		kfree(container_of(l, struct mq_message, link));
	kfree(q);
}

static int create_queue(const struct mq_attributes *wanted, struct mqueue **out)
{
	struct mq_attributes standard = {
		.maxmsg = (int64_t)(mq_messages_default < mq_messages_max ? mq_messages_default : mq_messages_max),
		.msgsize = (int64_t)(mq_size_default < mq_size_max ? mq_size_default : mq_size_max),
	};
	const struct mq_attributes *a = wanted ? wanted : &standard;

	if (wanted && !valid(a))
		return -EINVAL;
	struct mqueue *q = kzalloc(sizeof *q);
	if (!q)
		return -ENOMEM;
	mutex_init(&q->lock, "message queue", RANK_PIPE);
	waitq_init(&q->changed);
	list_init(&q->messages);
	q->max = (size_t)a->maxmsg;
	q->size = (size_t)a->msgsize;
	q->uid = current->uid;
	q->charged = cost(a);
	int error = register_queue(q);
	if (error)
		kfree(q);
	*out = q;
	return error;
}

/* ---- files ------------------------------------------------------------------------------------- */

/* dir->lock is held. */
static int create_file(struct vnode *dir, const char *name, size_t len, uint32_t mode, const struct mq_attributes *a, struct vnode **out)
{
	struct mqueue *q;
	int error = create_queue(a, &q);

	if (error)
		return error;
	error = tmpfs_create(dir, name, len, mode, 0, out);
	if (error) {
		free_queue(q);
		return error;
	}
	(*out)->ops = &queue_ops;
	tmpfs_node(*out)->queue = q;
	return 0;
}

static int mqueue_create(struct vnode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev, struct vnode **out)
{
	(void)rdev;
	return S_ISREG(mode) ? create_file(dir, name, len, mode, NULL, out) : -EPERM;
}

static int mqueue_open_file(struct vnode *v, struct file *f)
{
	(void)v;
	f->ops = &mqueue_file_ops;
	return 0;
}

static int mqueue_getattr(struct vnode *v, struct vattr *attr)
{
	int error = tmpfs_ops.getattr(v, attr);

	attr->size = FILE_SIZE;
	attr->blocks = 0;
	return error;
}

static int mqueue_setattr(struct vnode *v, const struct vattr *attr, unsigned which)
{
	return tmpfs_ops.setattr(v, attr, which & ~(unsigned)VATTR_SIZE);
}

static void mqueue_release_vnode(struct vnode *v)
{
	free_queue(tmpfs_node(v)->queue);
	tmpfs_ops.release(v);
}

struct mqueue *mqueue_of(const struct file *f)
{
	return f->ops == &mqueue_file_ops ? tmpfs_node(f->vnode)->queue : NULL;
}

/* What there is, and who is to be notified of the next. */
static ssize mqueue_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct mqueue *q = mqueue_of(f);
	char text[FILE_SIZE];

	mutex_lock(&q->lock);
	const struct mq_notice *n = &q->notice;
	int len = snprintf(text, sizeof text, "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", q->bytes, n->pid ? (int)n->how : 0,
		n->pid && n->how == MQ_NOTIFY_SIGNAL ? n->signo : 0, n->pid);
	mutex_unlock(&q->lock);
	if (*pos >= (uint64_t)len)
		return 0;
	size_t left = (size_t)len - *pos, wanted = uio->left < left ? uio->left : left;
	size_t n_out = uio_out(uio, text + *pos, wanted);
	*pos += n_out;
	return n_out || !wanted ? (ssize)n_out : -EFAULT;
}

static unsigned mqueue_poll(struct file *f, struct waitq **queue)
{
	struct mqueue *q = mqueue_of(f);

	*queue = &q->changed;
	mutex_lock(&q->lock);
	unsigned events = (q->count > 0 ? POLL_DATA : 0) | (q->count < q->max ? POLL_OUT | POLL_WRITE_NORMAL : 0);
	mutex_unlock(&q->lock);
	return events;
}

/* Who closes a descriptor of a queue is not notified any more. */
static void mqueue_closed(struct file *f)
{
	struct mqueue *q = mqueue_of(f);

	mutex_lock(&q->lock);
	if (q->notice.pid == current->pid)
		q->notice.pid = 0;
	mutex_unlock(&q->lock);
}

static const struct file_ops mqueue_file_ops = { .read = mqueue_read, .poll = mqueue_poll, .closed = mqueue_closed };

/* ---- names ------------------------------------------------------------------------------------- */

/* The file of that name; *created: it was made, with its owner's rights or without. */
static int find_or_create(struct fs_context *fs, const char *name, unsigned flags, uint32_t mode, const struct mq_attributes *a, struct vnode **out, bool *created)
{
	struct vnode *dir = mount->root;
	size_t len = strlen(name);

	mutex_lock(&dir->lock);
	int error = dir_lookup_locked(dir, name, len, out);
	if (error == -ENOENT && flags & OPEN_CREATE) {
		error = may_create(fs, dir);
		if (!error)
			error = create_file(dir, name, len, S_IFREG | (mode & 07777 & ~fs->umask), a, out);
		if (!error && (error = own_new(fs, dir, name, len, *out))) {
			tmpfs_unlink(dir, name, len, *out);
			vnode_put(*out);
		}
		*created = !error;
	}
	mutex_unlock(&dir->lock);
	return error;
}

static int check_open(struct fs_context *fs, const struct vnode *v, unsigned flags)
{
	static const unsigned char rights[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE };

	if (flags & OPEN_CREATE && flags & OPEN_EXCLUSIVE)
		return -EEXIST;
	if ((flags & OPEN_ACCESS) == OPEN_ACCESS)
		return -EINVAL;
	return vfs_permission(fs, v, rights[flags & OPEN_ACCESS]);
}

static int check_name(const char *name)
{
	bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;

	if (!*name)
		return -ENOENT;
	return dots || strchr(name, '/') ? -EACCES : strlen(name) > NAME_MAX_BYTES ? -ENAMETOOLONG : 0;
}

int mqueue_open(struct fs_context *fs, const char *name, unsigned flags, uint32_t mode, const struct mq_attributes *a, struct file **out)
{
	struct vnode *v;
	bool created = false;
	int error = check_name(name);

	if (!error)
		error = find_or_create(fs, name, flags, mode, a, &v, &created);
	if (error)
		return error;
	error = created ? 0 : check_open(fs, v, flags);
	*out = error ? NULL : file_new(&mqueue_file_ops, v, flags & (OPEN_ACCESS | OPEN_NONBLOCK));
	if (!error && !*out)
		error = -ENOMEM;
	if (error)
		vnode_put(v);
	return error;
}

int mqueue_unlink(struct fs_context *fs, const char *name)
{
	int error = check_name(name);

	return error ? error : vfs_unlink(fs, mount->root, name, UNLINK_FILE);
}

static int mqueue_statfs(struct mount *m, struct linux_statfs *s)
{
	(void)m;
	s->type = STATFS_MQUEUE;
	return 0;
}

struct mount *mqueue_mount(void)
{
	mount = tmpfs_mount();
	if (!mount)
		return NULL;
	mount->type = mount->source = "mqueue";
	mount->statfs = mqueue_statfs;
	mount->flags = MOUNT_NO_SETID | MOUNT_NO_DEVICES | MOUNT_NO_EXEC;
	dir_ops = queue_ops = tmpfs_ops;
	dir_ops.create = mqueue_create;
	dir_ops.temporary = NULL;
	dir_ops.symlink = NULL;
	dir_ops.link = NULL;
	dir_ops.rename = NULL;
	mount->root->ops = &dir_ops;
	queue_ops.open = mqueue_open_file;
	queue_ops.getattr = mqueue_getattr;
	queue_ops.setattr = mqueue_setattr;
	queue_ops.allocate = NULL;
	queue_ops.release = mqueue_release_vnode;
	mount_use(mount);			/* it stays */
	return mount;
}

/* ---- messages ---------------------------------------------------------------------------------- */

/* Sleeps until the queue has changed; locked before and after. */
static int wait_change(struct mqueue *q, bool wait, uint64_t deadline_ns)
{
	if (!wait)
		return -EAGAIN;
	wait_prepare(&q->changed);
	mutex_unlock(&q->lock);
	int error = wait_sleep_until(&q->changed, WAIT_INTERRUPTIBLE, deadline_ns);
	wait_finish(&q->changed);
	mutex_lock(&q->lock);
	return error;
}

/* Behind those of its priority. */
static void insert(struct mqueue *q, struct mq_message *m)
{
	struct list *before = q->messages.prev;

	while (before != &q->messages && container_of(before, struct mq_message, link)->priority < m->priority)
		before = before->prev;
	list_insert_between(&m->link, before, before->next);
	q->count++;
	q->bytes += m->size;
}

int mqueue_send(struct mqueue *q, struct mq_message *m, bool wait, uint64_t deadline_ns, struct mq_notice *notice)
{
	int error = 0;

	notice->pid = 0;
	mutex_lock(&q->lock);
	while (q->count >= q->max && !error)
		error = wait_change(q, wait, deadline_ns);
	if (!error) {
		if (q->count == 0 && !q->receivers) {
			*notice = q->notice;
			q->notice.pid = 0;		/* once */
		}
		insert(q, m);
		file_wake(&q->changed, POLL_DATA);
	}
	mutex_unlock(&q->lock);
	return error;
}

void mqueue_tell(const struct mq_notice *n)
{
	struct siginfo info = { .signo = n->signo, .code = SI_MESGQ, .timer.value = n->value };

	if (!n->pid || n->how != MQ_NOTIFY_SIGNAL || !n->signo)
		return;
	info.child.pid = current->pid;
	info.child.uid = current->uid;
	mutex_lock(&tree_lock);
	struct process *p = process_find(n->pid);
	if (p)
		signal_send_process(p, n->signo, &info);
	mutex_unlock(&tree_lock);
}

int mqueue_receive(struct mqueue *q, bool wait, uint64_t deadline_ns, struct mq_message **out)
{
	int error = 0;

	mutex_lock(&q->lock);
	while (q->count == 0 && !error) {
		q->receivers++;
		error = wait_change(q, wait, deadline_ns);
		q->receivers--;
	}
	if (!error) {
		*out = container_of(list_pop(&q->messages), struct mq_message, link);
		q->count--;
		q->bytes -= (*out)->size;
		file_wake(&q->changed, POLL_OUT | POLL_WRITE_NORMAL);
	}
	mutex_unlock(&q->lock);
	return error;
}
