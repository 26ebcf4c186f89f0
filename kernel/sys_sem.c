/*
 * kernel/sys_sem.c - System V semaphores: semget, semop, semtimedop, semctl, /proc/sysvipc/sem.
 *
 * The operations of a call are all done or none: they are tried on the values under the set's lock, and undone when one cannot be done.  Who has to wait is woken by every change of the
 * set and tries again.
 *
 * SEM_UNDO: what a process has to give back when it ends is kept in one list, by process and set.
 *
 * Locks: a set's (ipc.h), then undo_lock, which guards that list.
 */
#include "arch/time.h"
#include "arch/uaccess.h"
#include "kernel/clock.h"
#include "kernel/ipc.h"
#include "kernel/proc.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/reclaim.h"

enum { SEM_UNDO = 010000, VALUE_MAX = 32767, SET_MOST = 32000, OPS_MOST = 500, ALL_MOST = 1024000000, SETS_MOST = IPC_OBJECTS };
enum sem_command { GETPID = 11, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL, SETALL, SEM_STAT, SEM_INFO, SEM_STAT_ANY };

struct semaphore { uint16_t value; pid_type pid; };
struct sem_op { uint16_t number; int16_t change, flags; };

/* One that sleeps until a semaphore is 0, or is high enough; set->object.lock. */
struct sem_waiter { struct list link; unsigned number; bool for_zero; };

struct sem_set {
	struct ipc_object object;	/* object.lock guards all */
	int64_t otime, ctime;
	struct waitq changed;
	struct list waiters;
	unsigned n;
	struct semaphore sems[];
};

/* Linux's structures for x86-64. */
struct semid { struct ipc_perm perm; int64_t otime, unused1, ctime, unused2; uint64_t nsems, unused3[2]; };
struct seminfo { int32_t map, mni, mns, mnu, msl, opm, ume, usz, vmx, aem; };

static void free_set(struct ipc_object *o) { kfree(o); }
static struct ipc_table sets = IPC_TABLE_INIT("semaphores", free_set);
static unsigned long all_semaphores;			/* sets.lock to make some; atomic */

static struct sem_set *set_of(struct ipc_object *o) { return container_of(o, struct sem_set, object); }

/* ---- undoing --------------------------------------------------------------------------------- */

struct undo { struct list link; const struct process *process; int id; unsigned n; int16_t adjust[]; };
static struct mutex undo_lock = { .rank = RANK_FILES + 3, .name = "semaphore undo" };
static struct list undos = LIST_INIT(undos);

static struct undo *find_undo(const struct process *p, int id)
{
	list_for_each(l, &undos) {
		struct undo *u = container_of(l, struct undo, link);
		if (u->process == p && u->id == id)
			return u;
	}
	return NULL;
}

/* The process has one for the set afterwards; false: no memory. */
static bool prepare_undo(const struct process *p, const struct sem_set *s)
{
	mutex_lock(&undo_lock);
	struct undo *u = find_undo(p, s->object.id);
	if (!u && (u = kzalloc(sizeof *u + s->n * sizeof u->adjust[0]))) {
		*u = (struct undo){ .process = p, .id = s->object.id, .n = s->n };
		list_append(&undos, &u->link);
	}
	mutex_unlock(&undo_lock);
	return u != NULL;
}

/* Semaphores that are set to a value owe nobody anything. */
static void forget_undo(int id, unsigned first, unsigned n)
{
	mutex_lock(&undo_lock);
	list_for_each(l, &undos) {
		struct undo *u = container_of(l, struct undo, link);
		if (u->id == id)
			memset(&u->adjust[first], 0, n * sizeof u->adjust[0]);
	}
	mutex_unlock(&undo_lock);
}

static void drop_undo(int id)
{
	mutex_lock(&undo_lock);
	list_for_each_safe(l, &undos) {
		struct undo *u = container_of(l, struct undo, link);
		if (u->id != id)
			continue;
		list_remove(l);
		kfree(u);
	}
	mutex_unlock(&undo_lock);
}

static struct undo *take_undo(const struct process *p)
{
	struct undo *found = NULL;
	mutex_lock(&undo_lock);
	list_for_each(l, &undos) {
		if (container_of(l, struct undo, link)->process != p)
			continue;
		found = container_of(l, struct undo, link);
		list_remove(l);
		break;
	}
	mutex_unlock(&undo_lock);
	return found;
}

static void apply_undo(struct sem_set *s, const struct undo *u, const struct process *p)
{
	for (unsigned i = 0; i < u->n; i++) {
		int value = s->sems[i].value + u->adjust[i];
		if (!u->adjust[i])
			continue;
		s->sems[i].value = (uint16_t)(value < 0 ? 0 : value > VALUE_MAX ? VALUE_MAX : value);
		s->sems[i].pid = p->pid;
	}
	s->otime = vfs_now().sec;
	wake_all(&s->changed);
}

bool semaphores_owed_by(const struct process *p)
{
	bool owes = false;
	mutex_lock(&undo_lock);
	list_for_each(l, &undos)
		owes |= container_of(l, struct undo, link)->process == p;
	mutex_unlock(&undo_lock);
	return owes;
}

void semaphores_exit(const struct process *p)
{
	for (struct undo *u; (u = take_undo(p)); kfree(u)) {
		long error;
		struct ipc_object *o = ipc_lock(&sets, u->id, &error);
		if (!o)
			continue;
		apply_undo(set_of(o), u, p);
		ipc_done(&sets, o);
	}
}

/* ---- operations ------------------------------------------------------------------------------ */

enum { BLOCKED = 1 };

/* One operation, and what it owes: 0, BLOCKED, or an errno. */
static long do_one(struct sem_set *s, const struct sem_op *op, struct undo *u)
{
	struct semaphore *sem = &s->sems[op->number];
	int value = sem->value + op->change;
	if (op->change == 0 ? sem->value != 0 : value < 0)
		return op->flags & IPC_NOWAIT ? -EAGAIN : BLOCKED;
	if (value > VALUE_MAX)
		return -ERANGE;
	if (op->flags & SEM_UNDO && op->change) {
		int adjust = u->adjust[op->number] - op->change;
		if (adjust < -VALUE_MAX - 1 || adjust > VALUE_MAX)
			return -ERANGE;
		u->adjust[op->number] = (int16_t)adjust;
	}
	sem->value = (uint16_t)value;
	return 0;
}

static void take_back(struct sem_set *s, const struct sem_op *op, struct undo *u)
{
	s->sems[op->number].value = (uint16_t)(s->sems[op->number].value - op->change);
	if (op->flags & SEM_UNDO && op->change)
		u->adjust[op->number] = (int16_t)(u->adjust[op->number] + op->change);
}

/* All or none; *stuck: the one that could not be done. */
static long try_all(struct sem_set *s, const struct sem_op *ops, unsigned n, unsigned *stuck)
{
	const struct process *p = current;
	long result = 0;
	unsigned done = 0;
	bool changed = false;
	mutex_lock(&undo_lock);
	struct undo *u = find_undo(p, s->object.id);
	while (done < n && (result = do_one(s, &ops[done], u)) == 0)
		changed |= ops[done++].change != 0;
	*stuck = done;
	if (result)
		while (done-- > 0)
			take_back(s, &ops[done], u);
	mutex_unlock(&undo_lock);
	if (result)
		return result;
	for (unsigned i = 0; i < n; i++)
		s->sems[ops[i].number].pid = p->pid;
	s->otime = vfs_now().sec;
	if (changed)
		wake_all(&s->changed);
	return 0;
}

/* Until the operations are done; the set is locked, before and after. */
static long operate(struct sem_set *s, const struct sem_op *ops, unsigned n, uint64_t deadline_ns)
{
	struct sem_waiter w;
	unsigned stuck;
	for (;;) {
		long result = try_all(s, ops, n, &stuck);
		if (result != BLOCKED)
			return result;
		w.number = ops[stuck].number;
		w.for_zero = ops[stuck].change == 0;
		list_append(&s->waiters, &w.link);
		wait_prepare(&s->changed);
		mutex_unlock(&s->object.lock);
		int why = wait_sleep_until(&s->changed, WAIT_INTERRUPTIBLE, deadline_ns);
		wait_finish(&s->changed);
		mutex_lock(&s->object.lock);
		list_remove(&w.link);
		if (s->object.removed)
			return -EIDRM;
		if (why)
			return why == -ETIMEDOUT ? -EAGAIN : why;
	}
}

static long check_ops(const struct sem_set *s, const struct sem_op *ops, unsigned n)
{
	bool alters = false, undoes = false;
	for (unsigned i = 0; i < n; i++) {
		if (ops[i].number >= s->n)
			return -EFBIG;
		alters |= ops[i].change != 0;
		undoes |= ops[i].flags & SEM_UNDO && ops[i].change;
	}
	if (!ipc_permitted(&s->object.perm, alters ? 0222 : 0444))
		return -EACCES;
	return undoes && !prepare_undo(current, s) ? -ENOMEM : 0;
}

static long operate_on(int id, const struct sem_op *ops, unsigned n, uint64_t deadline_ns)
{
	long result;
	struct ipc_object *o = ipc_lock(&sets, id, &result);
	if (!o)
		return result;
	result = check_ops(set_of(o), ops, n);
	if (!result)
		result = operate(set_of(o), ops, n, deadline_ns);
	ipc_done(&sets, o);
	return result;
}

static long semop(const unsigned long args[6], vaddr_t timeout)
{
	enum { FEW = 16 };
	struct sem_op few[FEW], *ops = few;
	unsigned n = (unsigned)args[2];
	struct timespec64 t;
	uint64_t deadline_ns = ~(uint64_t)0;

	if (n < 1 || (int)args[0] < 0)
		return -EINVAL;
	if (n > OPS_MOST)
		return -E2BIG;
	if (timeout) {
		if (user_get(t, timeout))
			return -EFAULT;
		if (t.sec < 0 || t.nsec < 0 || t.nsec >= (int64_t)NS_PER_SECOND)
			return -EINVAL;
		if (t.sec < INT64_MAX / (int64_t)NS_PER_SECOND / 2)
			deadline_ns = time_now_ns() + (uint64_t)t.sec * NS_PER_SECOND + (uint64_t)t.nsec;
	}
	if (n > FEW && !(ops = kmalloc(n * sizeof *ops)))
		return -ENOMEM;
	long result = user_copy_in(ops, args[1], n * sizeof *ops) ? -EFAULT : operate_on((int)args[0], ops, n, deadline_ns);
	if (ops != few)
		kfree(ops);
	return result;
}

/* semop(id, *ops, n), semtimedop(id, *ops, n, *timeout): an interrupted one is never restarted. */
long sys_semop(const unsigned long args[6]) { return semop(args, 0); }
long sys_semtimedop(const unsigned long args[6]) { return semop(args, args[3]); }

/* ---- sets ------------------------------------------------------------------------------------ */

static struct ipc_object *make_set(void *context, long *error)
{
	const unsigned n = *(unsigned *)context;
	*error = n == 0 ? -EINVAL : all_semaphores + n > ALL_MOST ? -ENOSPC : -ENOMEM;
	if (n == 0 || all_semaphores + n > ALL_MOST || !reclaim_keep_free())
		return NULL;
	struct sem_set *s = kzalloc(sizeof *s + n * sizeof s->sems[0]);
	if (!s)
		return NULL;
	s->n = n;
	s->ctime = vfs_now().sec;
	waitq_init(&s->changed);
	list_init(&s->waiters);
	__atomic_fetch_add(&all_semaphores, n, __ATOMIC_RELAXED);
	return &s->object;
}

static long check_set(const struct ipc_object *o, void *context)
{
	return *(unsigned *)context > container_of(o, const struct sem_set, object)->n ? -EINVAL : 0;
}

/* semget(key, n, flags) */
long sys_semget(const unsigned long args[6])
{
	unsigned n = (unsigned)args[1];
	const struct ipc_maker maker = { make_set, check_set, &n, SETS_MOST };
	return n > SET_MOST ? -EINVAL : ipc_get(&sets, (int32_t)args[0], (unsigned)args[2], &maker);
}

static long remove_set(struct sem_set *s)
{
	if (!ipc_owned(&s->object.perm))
		return -EPERM;
	__atomic_fetch_sub(&all_semaphores, s->n, __ATOMIC_RELAXED);
	ipc_remove(&sets, &s->object);
	drop_undo(s->object.id);
	wake_all(&s->changed);
	return 0;
}

static long status(const struct sem_set *s, int command, struct semid *ds)
{
	if (command != SEM_STAT_ANY && !ipc_permitted(&s->object.perm, 0444))
		return -EACCES;
	*ds = (struct semid){ .perm = s->object.perm, .otime = s->otime, .ctime = s->ctime, .nsems = s->n };
	return command == IPC_STAT ? 0 : s->object.id;
}

static long put_info(int command, vaddr_t to)
{
	struct seminfo info = { .map = ALL_MOST, .mni = SETS_MOST, .mns = ALL_MOST, .mnu = ALL_MOST, .msl = SET_MOST, .opm = OPS_MOST, .ume = OPS_MOST, .usz = 20,
		.vmx = VALUE_MAX, .aem = VALUE_MAX };
	if (command == SEM_INFO) {
		info.usz = (int32_t)sets.used;
		info.aem = (int32_t)all_semaphores;
	}
	return user_put(to, info) ? -EFAULT : ipc_highest(&sets);
}

/* ---- one semaphore, or all of a set ------------------------------------------------------------ */

static long count_waiters(const struct sem_set *s, unsigned number, bool for_zero)
{
	long n = 0;
	list_for_each(l, &s->waiters) {
		const struct sem_waiter *w = container_of(l, struct sem_waiter, link);
		n += w->number == number && w->for_zero == for_zero;
	}
	return n;
}

static long change_one(struct sem_set *s, unsigned number, int value)
{
	if (!ipc_permitted(&s->object.perm, 0222))
		return -EACCES;
	forget_undo(s->object.id, number, 1);
	s->sems[number] = (struct semaphore){ (uint16_t)value, current->pid };
	s->ctime = vfs_now().sec;
	wake_all(&s->changed);
	return 0;
}

static long one_call(int id, unsigned number, int command, int value)
{
	long result;
	if (command == SETVAL && (value < 0 || value > VALUE_MAX))
		return -ERANGE;
	struct ipc_object *o = ipc_lock(&sets, id, &result);
	if (!o)
		return result;
	struct sem_set *s = set_of(o);
	if (number >= s->n)
		result = -EINVAL;
	else if (command == SETVAL)
		result = change_one(s, number, value);
	else if (!ipc_permitted(&o->perm, 0444))
		result = -EACCES;
	else
		result = command == GETVAL ? s->sems[number].value : command == GETPID ? s->sems[number].pid : count_waiters(s, number, command == GETZCNT);
	ipc_done(&sets, o);
	return result;
}

/* With the set locked, between it and an array of kernel memory. */
static long all_locked(struct sem_set *s, int command, uint16_t *values)
{
	if (!ipc_permitted(&s->object.perm, command == GETALL ? 0444 : 0222))
		return -EACCES;
	for (unsigned i = 0; command == SETALL && i < s->n; i++)
		if (values[i] > VALUE_MAX)
			return -ERANGE;
	for (unsigned i = 0; i < s->n; i++) {
		if (command == GETALL)
			values[i] = s->sems[i].value;
		else
			s->sems[i] = (struct semaphore){ values[i], current->pid };
	}
	if (command == SETALL) {
		forget_undo(s->object.id, 0, s->n);
		s->ctime = vfs_now().sec;
		wake_all(&s->changed);
	}
	return 0;
}

/* The number of semaphores of a set never changes: the array is made, and filled, while nothing is locked. */
static long all_call(int id, int command, vaddr_t at)
{
	long result;
	struct ipc_object *o = ipc_lock(&sets, id, &result);
	if (!o)
		return result;
	size_t bytes = set_of(o)->n * sizeof(uint16_t);
	ipc_done(&sets, o);
	uint16_t *values = kmalloc(bytes);
	if (!values)
		return -ENOMEM;
	if (command == SETALL && user_copy_in(values, at, bytes))
		result = -EFAULT;
	else if ((o = ipc_lock(&sets, id, &result))) {
		result = all_locked(set_of(o), command, values);
		ipc_done(&sets, o);
	}
	if (!result && command == GETALL && user_copy_out(at, values, bytes))
		result = -EFAULT;
	kfree(values);
	return result;
}

static long set_call(int id, int command, vaddr_t at)
{
	struct semid ds;
	long result;
	if (command == IPC_SET && user_get(ds, at))
		return -EFAULT;
	struct ipc_object *o = command == SEM_STAT || command == SEM_STAT_ANY ? ipc_lock_index(&sets, id, &result) : ipc_lock(&sets, id, &result);
	if (!o)
		return result;
	struct sem_set *s = set_of(o);
	if (command == IPC_RMID) {
		result = remove_set(s);
	} else if (command != IPC_SET) {
		result = status(s, command, &ds);
	} else {
		result = ipc_owned(&o->perm) ? ipc_set(o, &ds.perm) : -EPERM;
		s->ctime = vfs_now().sec;
	}
	ipc_done(&sets, o);
	bool tells = command != IPC_RMID && command != IPC_SET;
	return tells && result >= 0 && user_put(at, ds) ? -EFAULT : result;
}

/* semctl(id, number, command, argument) */
long sys_semctl(const unsigned long args[6])
{
	int id = (int)args[0], command = (int)args[2];
	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO: case SEM_INFO:
		return put_info(command, args[3]);
	case IPC_STAT: case SEM_STAT: case SEM_STAT_ANY: case IPC_SET: case IPC_RMID:
		return set_call(id, command, args[3]);
	case GETALL: case SETALL:
		return all_call(id, command, args[3]);
	case GETVAL: case GETPID: case GETNCNT: case GETZCNT: case SETVAL:
		return one_call(id, (unsigned)args[1], command, (int)args[3]);
	default:
		return -EINVAL;
	}
}

/* ---- /proc ------------------------------------------------------------------------------------- */

static int make_list(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
	for (int i = 0; i < IPC_OBJECTS; i++) {
		long error;
		struct ipc_object *o = ipc_lock_index(&sets, i, &error);
		if (!o)
			continue;
		const struct sem_set *s = set_of(o);
		text_print(t, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu\n", o->perm.key, o->id, o->perm.mode, s->n, o->perm.uid, o->perm.gid, o->perm.cuid,
			o->perm.cgid, (unsigned long)s->otime, (unsigned long)s->ctime);
		ipc_done(&sets, o);
	}
	return 0;
}

static int make_limits(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "%d\t%d\t%d\t%d\n", SET_MOST, ALL_MOST, OPS_MOST, SETS_MOST);
	return 0;
}

const struct synth proc_sem_text = { .make = make_list }, proc_sem_limits_text = { .make = make_limits };
