/*
 * kernel/sys_msg.c - System V message queues: msgget, msgsnd, msgrcv, msgctl, /proc/sysvipc/msg.
 *
 * A message is copied from the user before its queue is locked, and to the user after it has been taken out.  Who has to wait, for room or for a message, is woken by
 * every change of the queue and looks again.
 *
 * Lock: a queue's (ipc.h).
 */
#include "arch/uaccess.h"
#include "kernel/ipc.h"
#include "kernel/proc.h"
#include "kernel/sched.h"
#include "kernel/settings.h"
#include "kernel/syscall.h"
#include "vm/heap.h"
#include "vm/reclaim.h"

enum { MSG_NOERROR = 010000, MSG_EXCEPT = 020000, MSG_COPY = 040000 };
enum msg_command { MSG_STAT = 11, MSG_INFO, MSG_STAT_ANY };

unsigned long msg_size_max = 8192, msg_queue_bytes = 16384, msg_queues_max = IPC_OBJECTS;

struct message { struct list link; int64_t type; size_t size; char bytes[]; };

/* Linux's structures for x86-64. */
struct msqid { struct ipc_perm perm; int64_t stime, rtime, ctime; uint64_t cbytes, qnum, qbytes; pid_type lspid, lrpid; uint64_t unused[2]; };
struct msginfo { int32_t pool, map, max, mnb, mni, ssz, tql; uint16_t seg, pad; };

struct msg_queue {
	struct ipc_object object;	/* object.lock guards all */
	struct msqid ds;		/* but for perm */
	struct list messages;
	struct waitq changed;
};

static void free_queue(struct ipc_object *o)
{
	struct msg_queue *q = container_of(o, struct msg_queue, object);
	for (struct list *l; (l = list_pop(&q->messages)); )
		kfree(container_of(l, struct message, link));
	kfree(q);
}

static struct ipc_table queues = IPC_TABLE_INIT("message queues", free_queue);

static struct msg_queue *queue_of(struct ipc_object *o) { return container_of(o, struct msg_queue, object); }

/* ---- making a queue ---------------------------------------------------------------------------- */

static struct ipc_object *make_queue(void *context, long *error)
{
	struct msg_queue *q = reclaim_keep_free() ? kzalloc(sizeof *q) : NULL;
	(void)context;
	*error = -ENOMEM;
	if (!q)
		return NULL;
	q->ds.qbytes = msg_queue_bytes;
	q->ds.ctime = vfs_now().sec;
	list_init(&q->messages);
	waitq_init(&q->changed);
	return &q->object;
}

static long check_queue(const struct ipc_object *o, void *context)
{
	(void)o, (void)context;
	return 0;
}

/* msgget(key, flags) */
long sys_msgget(const unsigned long args[6])
{
	const struct ipc_maker maker = { make_queue, check_queue, NULL, msg_queues_max };
	return ipc_get(&queues, (int32_t)args[0], (unsigned)args[1], &maker);
}

/* ---- sending and receiving ---------------------------------------------------------------------- */

/* Sleeps until the queue has changed; locked before and after.  0, -EIDRM, -EINTR: an interrupted call is never restarted. */
static long wait_change(struct msg_queue *q)
{
	wait_prepare(&q->changed);
	mutex_unlock(&q->object.lock);
	long why = wait_sleep(&q->changed, WAIT_INTERRUPTIBLE);
	wait_finish(&q->changed);
	mutex_lock(&q->object.lock);
	return q->object.removed ? -EIDRM : why;
}

static bool has_room(const struct msg_queue *q, size_t size)
{
	return q->ds.cbytes + size <= q->ds.qbytes && q->ds.qnum + 1 <= q->ds.qbytes;
}

static long send_locked(struct msg_queue *q, struct message *m, unsigned flags)
{
	long error = ipc_permitted(&q->object.perm, 0222) ? 0 : -EACCES;
	while (!error && !has_room(q, m->size)) {
		error = flags & IPC_NOWAIT ? -EAGAIN : wait_change(q);
		if (!error && !ipc_permitted(&q->object.perm, 0222))
			error = -EACCES;
	}
	if (error)
		return error;
	list_append(&q->messages, &m->link);
	q->ds.cbytes += m->size;
	q->ds.qnum++;
	q->ds.lspid = current->pid;
	q->ds.stime = vfs_now().sec;
	wake_all(&q->changed);
	return 0;
}

/* msgsnd(id, *message, size, flags) */
long sys_msgsnd(const unsigned long args[6])
{
	size_t size = args[2];
	int64_t type;
	long result;
	if (size > msg_size_max || (int)args[0] < 0)
		return -EINVAL;
	if (user_get(type, args[1]))
		return -EFAULT;
	if (type < 1)
		return -EINVAL;
	struct message *m = reclaim_keep_free() ? kmalloc(sizeof *m + size) : NULL;
	if (!m)
		return -ENOMEM;
	m->type = type;
	m->size = size;
	if (user_copy_in(m->bytes, args[1] + sizeof type, size)) {
		kfree(m);
		return -EFAULT;
	}
	struct ipc_object *o = ipc_lock(&queues, (int)args[0], &result);
	if (o) {
		result = send_locked(queue_of(o), m, (unsigned)args[3]);
		ipc_done(&queues, o);
	}
	if (result)
		kfree(m);
	return result;
}

/* The first of the type; below 0: of the lowest type up to its amount; 0: of any. */
static struct message *choose(const struct msg_queue *q, int64_t type, unsigned flags)
{
	struct message *best = NULL;
	int64_t most = type == INT64_MIN ? INT64_MAX : -type;
	list_for_each(l, &q->messages) {
		struct message *m = container_of(l, struct message, link);
		if (type < 0 && m->type <= most && (!best || m->type < best->type))
			best = m;
		if (type >= 0 && (type == 0 || (m->type == type) == !(flags & MSG_EXCEPT)))
			return m;
	}
	return best;
}

static long receive_locked(struct msg_queue *q, size_t size, int64_t type, unsigned flags, struct message **out)
{
	struct message *m;
	for (;;) {
		if (!ipc_permitted(&q->object.perm, 0444))
			return -EACCES;
		m = choose(q, type, flags);
		if (m)
			break;
		long error = flags & IPC_NOWAIT ? -ENOMSG : wait_change(q);
		if (error)
			return error;
	}
	if (m->size > size && !(flags & MSG_NOERROR))
		return -E2BIG;
	list_remove(&m->link);
	q->ds.cbytes -= m->size;
	q->ds.qnum--;
	q->ds.lrpid = current->pid;
	q->ds.rtime = vfs_now().sec;
	wake_all(&q->changed);
	*out = m;
	return 0;
}

/* msgrcv(id, *message, size, type, flags): the bytes of the message. */
long sys_msgrcv(const unsigned long args[6])
{
	unsigned flags = (unsigned)args[4];
	struct message *m = NULL;
	long result;
	if ((int)args[0] < 0 || (ssize)args[2] < 0)
		return -EINVAL;
	if (flags & MSG_COPY)
		return flags & MSG_EXCEPT || !(flags & IPC_NOWAIT) ? -EINVAL : -ENOSYS;	/* as Linux without checkpoints */
	struct ipc_object *o = ipc_lock(&queues, (int)args[0], &result);
	if (!o)
		return result;
	result = receive_locked(queue_of(o), args[2], (int64_t)args[3], flags, &m);
	ipc_done(&queues, o);
	if (result)
		return result;
	size_t n = m->size < args[2] ? m->size : args[2];
	result = user_put(args[1], m->type) || user_copy_out(args[1] + sizeof m->type, m->bytes, n) ? -EFAULT : (long)n;
	kfree(m);
	return result;
}

/* ---- msgctl ------------------------------------------------------------------------------------- */

static long put_info(int command, vaddr_t to)
{
	struct msginfo info = { .pool = (int32_t)(msg_queues_max * msg_queue_bytes / 1024), .map = (int32_t)msg_queue_bytes, .max = (int32_t)msg_size_max,
		.mnb = (int32_t)msg_queue_bytes, .mni = (int32_t)msg_queues_max, .ssz = 16, .tql = (int32_t)msg_queue_bytes, .seg = 0xffff };
	if (command == MSG_INFO) {
		info.pool = (int32_t)queues.used;
		info.map = info.tql = 0;
		for (int i = 0; i < IPC_OBJECTS; i++) {
			long error;
			struct ipc_object *o = ipc_lock_index(&queues, i, &error);
			if (!o)
				continue;
			info.map += (int32_t)queue_of(o)->ds.qnum;
			info.tql += (int32_t)queue_of(o)->ds.cbytes;
			ipc_done(&queues, o);
		}
	}
	return user_put(to, info) ? -EFAULT : ipc_highest(&queues);
}

static long remove_queue(struct msg_queue *q)
{
	if (!ipc_owned(&q->object.perm))
		return -EPERM;
	ipc_remove(&queues, &q->object);
	wake_all(&q->changed);
	return 0;
}

static long set_queue(struct msg_queue *q, const struct msqid *ds)
{
	if (!ipc_owned(&q->object.perm) || (ds->qbytes > msg_queue_bytes && !capable(CAP_SYS_RESOURCE)))
		return -EPERM;
	long error = ipc_set(&q->object, &ds->perm);
	if (error)
		return error;
	q->ds.qbytes = ds->qbytes;
	q->ds.ctime = vfs_now().sec;
	wake_all(&q->changed);
	return 0;
}

static long status(const struct msg_queue *q, int command, struct msqid *ds)
{
	if (command != MSG_STAT_ANY && !ipc_permitted(&q->object.perm, 0444))
		return -EACCES;
	*ds = q->ds;
	ds->perm = q->object.perm;
	return command == IPC_STAT ? 0 : q->object.id;
}

/* msgctl(id, command, *ds) */
long sys_msgctl(const unsigned long args[6])
{
	int id = (int)args[0], command = (int)args[1];
	struct msqid ds;
	long result;
	if (id < 0)
		return -EINVAL;
	if (command == IPC_INFO || command == MSG_INFO)
		return put_info(command, args[2]);
	bool tells = command == IPC_STAT || command == MSG_STAT || command == MSG_STAT_ANY;
	if (!tells && command != IPC_SET && command != IPC_RMID)
		return -EINVAL;
	if (command == IPC_SET && user_get(ds, args[2]))
		return -EFAULT;
	struct ipc_object *o = command == MSG_STAT || command == MSG_STAT_ANY ? ipc_lock_index(&queues, id, &result) : ipc_lock(&queues, id, &result);
	if (!o)
		return result;
	struct msg_queue *q = queue_of(o);
	result = tells ? status(q, command, &ds) : command == IPC_SET ? set_queue(q, &ds) : remove_queue(q);
	ipc_done(&queues, o);
	return tells && result >= 0 && user_put(args[2], ds) ? -EFAULT : result;
}

static int make_list(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n");
	for (int i = 0; i < IPC_OBJECTS; i++) {
		long error;
		struct ipc_object *o = ipc_lock_index(&queues, i, &error);
		if (!o)
			continue;
		const struct msqid *d = &queue_of(o)->ds;
		text_print(t, "%10d %10d  %4o  %10lu %10lu %5d %5d %5u %5u %5u %5u %10lu %10lu %10lu\n", o->perm.key, o->id, o->perm.mode, (unsigned long)d->cbytes,
			(unsigned long)d->qnum, d->lspid, d->lrpid, o->perm.uid, o->perm.gid, o->perm.cuid, o->perm.cgid, (unsigned long)d->stime,
			(unsigned long)d->rtime, (unsigned long)d->ctime);
		ipc_done(&queues, o);
	}
	return 0;
}

const struct synth proc_msg_text = { .make = make_list };
