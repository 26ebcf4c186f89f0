/*
 * kernel/sys_shm.c - System V shared memory: shmget, shmat, shmdt, shmctl, /proc/sysvipc/shm.
 *
 * A segment is a memory object with a number.  Who maps it is counted by the object's watch (vm/object.h) as regions come and go, so that fork, exec,
 * exit and munmap attach and detach without knowing of segments.  One that was removed lives until nobody maps it.
 *
 * Lock: shm_lock guards the table and all segments; it is taken under the lock of a space, and over that of an object.
 */
#include "arch/uaccess.h"
#include "fs/memfd.h"
#include "kernel/ipc.h"
#include "kernel/process.h"
#include "kernel/settings.h"
#include "kernel/proc.h"
#include "kernel/syscall.h"
#include "lib/print.h"
#include "vm/account.h"
#include "vm/heap.h"
#include "vm/mmap.h"
#include "vm/object.h"

enum shm_flags { SHM_HUGETLB = 04000, SHM_RDONLY = 010000, SHM_NORESERVE = 010000, SHM_RND = 020000, SHM_REMAP = 040000, SHM_EXEC = 0100000 };
enum shm_mode { SHM_REMOVED = 01000, SHM_LOCKED = 02000 };		/* SHM_DEST and SHM_LOCKED, as users see them */
enum shm_command { SHM_LOCK = 11, SHM_UNLOCK, SHM_STAT, SHM_INFO, SHM_STAT_ANY };
enum { SHM_MAX = IPC_OBJECTS, INDEX_BITS = IPC_INDEX_BITS, INDEX_MASK = (1 << INDEX_BITS) - 1 };
unsigned long shm_size_max = UINT64_MAX - (1 << 24), shm_pages_max = UINT64_MAX - (1 << 24), shm_segments_max = SHM_MAX;	/* Linux's shmmax, shmall, shmmni */

/* Linux's structures for x86-64. */
struct shmid { struct ipc_perm perm; uint64_t size; int64_t atime, dtime, ctime; int32_t cpid, lpid; uint64_t nattch, unused[2]; };
struct shminfo { uint64_t max, min, mni, seg, all, unused[4]; };
struct shm_info { int32_t used; uint64_t total, resident, swapped, swap_attempts, swap_successes; };

struct segment { struct object *object; int id; struct shmid ds; };

static struct spinlock shm_lock = SPINLOCK_INIT("shm", RANK_LEAF - 1);
static struct segment *table[SHM_MAX];					/* by the low bits of the number; shm_lock */
static unsigned made;							/* segments so far: the high bits; shm_lock */

static void attached(struct object *, int change);

/* ---- segments: shm_lock is held ------------------------------------------------------------------------------------------ */

static struct segment *segment_at(int id)
{
	unsigned index = (unsigned)id & INDEX_MASK;

	return id >= 0 && index < SHM_MAX ? table[index] : NULL;
}

static struct segment *segment_of(int id)
{
	struct segment *s = segment_at(id);

	return s && s->id == id ? s : NULL;
}

static struct segment *segment_with_key(int32_t key)
{
	for (unsigned i = 0; i < SHM_MAX; i++)
		if (table[i] && table[i]->ds.perm.key == key)
			return table[i];
	return NULL;
}

static struct shm_info count_all(void)
{
	struct shm_info info = { .used = 0 };

	for (unsigned i = 0; i < SHM_MAX; i++) {
		if (!table[i])
			continue;
		info.used++;
		info.total += page_ceil(table[i]->ds.size) >> PAGE_SHIFT;
		info.resident += table[i]->object->npages;
	}
	return info;
}

/* NULL: no memory, or no more may be promised. */
static struct object *make_object(struct segment *s, unsigned flags)
{
	const size_t size = sizeof "/SYSV00000000 (deleted)";
	struct object *o = object_create(NULL, s, page_ceil(s->ds.size));

	if (!o)
		return NULL;
	o->name = kmalloc(size);
	if (!o->name || ((!(flags & SHM_NORESERVE) || overcommit.mode == OVERCOMMIT_NEVER) && object_commit(o) < 0)) {
		object_put(o);
		return NULL;
	}
	snprintf(o->name, size, "/SYSV%08x (deleted)", (unsigned)s->ds.perm.key);
	o->dev = memfd_mount->dev;			/* /proc maps shows it as a file that has no place */
	o->ino = (uint64_t)s->id;
	o->watch = attached;
	return o;
}

/* Its number, or an errno. */
static long create(int32_t key, size_t size, unsigned flags)
{
	struct process *me = current;
	unsigned index = 0;

	if (size == 0 || size > INT64_MAX || size > shm_size_max)
		return -EINVAL;
	if (flags & SHM_HUGETLB)
		return capable(CAP_IPC_LOCK) || fs_context_in_group(&me->fs, 0) ? -ENOMEM : -EPERM;	/* there is no pool of huge pages */
	while (index < SHM_MAX && table[index])
		index++;
	struct shm_info all = count_all();
	if (index == SHM_MAX || (unsigned long)all.used >= shm_segments_max || all.total + (page_ceil(size) >> PAGE_SHIFT) > shm_pages_max)
		return -ENOSPC;
	struct segment *s = kzalloc(sizeof *s);
	if (!s)
		return -ENOMEM;
	uint16_t seq = (uint16_t)(made & 0x7fff);
	s->id = seq << INDEX_BITS | (int)index;
	s->ds = (struct shmid){ .perm = { .key = key, .uid = me->euid, .gid = me->egid, .cuid = me->euid, .cgid = me->egid, .mode = flags & 0777,
		.seq = seq }, .size = size, .ctime = vfs_now().sec, .cpid = me->pid };
	s->object = make_object(s, flags);
	if (!s->object) {
		kfree(s);
		return -ENOMEM;
	}
	made++;
	table[index] = s;
	return s->id;
}

/* Takes it out if it was removed and nobody maps it: the object, to be put without the lock; else NULL. */
static struct object *forget_unused(struct segment *s)
{
	struct object *o = s->object;

	if (s->ds.nattch > 0 || !(s->ds.perm.mode & SHM_REMOVED))
		return NULL;
	o->watch = NULL;
	table[s->id & INDEX_MASK] = NULL;
	kfree(s);
	return o;
}

/* ---- attaching and detaching ------------------------------------------------------------------------------------------------ */

/* The object's watch: a region of it came (1) or went (-1), and holds the object still. */
static void attached(struct object *o, int change)
{
	struct segment *s = o->backing;
	struct process *p = current_thread()->process;

	spin_lock(&shm_lock);
	s->ds.nattch += (uint64_t)change;
	*(change > 0 ? &s->ds.atime : &s->ds.dtime) = vfs_now().sec;
	if (p)
		s->ds.lpid = p->pid;
	struct object *unused = forget_unused(s);
	spin_unlock(&shm_lock);
	if (unused)
		object_put(unused);
}

/* Finds a segment that may be attached so, and keeps it from going. */
static int hold(int id, unsigned wanted, struct segment **out)
{
	int error = 0;

	spin_lock(&shm_lock);
	struct segment *s = *out = segment_of(id);
	if (!s)
		error = -EINVAL;
	else if (!ipc_permitted(&s->ds.perm, wanted))
		error = -EACCES;
	else
		s->ds.nattch++;
	spin_unlock(&shm_lock);
	return error;
}

static void let_go(struct segment *s)
{
	spin_lock(&shm_lock);
	s->ds.nattch--;
	struct object *unused = forget_unused(s);
	spin_unlock(&shm_lock);
	if (unused)
		object_put(unused);
}

/* shmat(id, address, flags) */
long sys_shmat(const unsigned long args[6])
{
	unsigned flags = (unsigned)args[2], rights = flags & SHM_RDONLY ? VM_READ | VM_NOWRITE : VM_READ | VM_WRITE;
	unsigned wanted = (flags & SHM_RDONLY ? 0444 : 0666) | (flags & SHM_EXEC ? 0111 : 0), how = MAP_SHARED;
	vaddr_t at = args[1];
	struct segment *s;

	if (at & PAGE_MASK && !(flags & SHM_RND))
		return -EINVAL;
	if (at)
		how |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	at = page_floor(at);
	if (!at && flags & SHM_REMAP)
		return -EINVAL;
	int error = hold((int)args[0], wanted, &s);
	if (error)
		return error;
	if (flags & SHM_EXEC)
		rights |= VM_EXEC;
	if (at && !(flags & SHM_REMAP) && at + s->ds.size < at)
		error = -EINVAL;
	else
		at = vm_mmap(current->space, at, s->ds.size, rights, how, s->object, 0);
	let_go(s);
	return error ? error : (long)at == -EEXIST ? -EINVAL : (long)at;
}

long sys_shmdt(const unsigned long args[6])
{
	return args[0] & PAGE_MASK ? -EINVAL : vm_detach(current->space, args[0]);
}

/* ---- shmget, shmctl ------------------------------------------------------------------------------------------------------------ */

/* What there is with the key, if it is as wanted. */
static long use(const struct segment *s, size_t size, unsigned flags)
{
	if (flags & IPC_CREATE && flags & IPC_EXCLUSIVE)
		return -EEXIST;
	if (size > s->ds.size)
		return -EINVAL;
	return ipc_permitted(&s->ds.perm, flags & 0777) ? s->id : -EACCES;
}

/* shmget(key, size, flags) */
long sys_shmget(const unsigned long args[6])
{
	int32_t key = (int32_t)args[0];
	unsigned flags = (unsigned)args[2];

	spin_lock(&shm_lock);
	const struct segment *s = key ? segment_with_key(key) : NULL;
	long result = s ? use(s, args[1], flags) : key && !(flags & IPC_CREATE) ? -ENOENT : create(key, args[1], flags);
	spin_unlock(&shm_lock);
	return result;
}

static int highest_index(void)
{
	int highest = 0;

	spin_lock(&shm_lock);
	for (int i = 0; i < SHM_MAX; i++)
		highest = table[i] ? i : highest;
	spin_unlock(&shm_lock);
	return highest;
}

static long put_limits(vaddr_t to)
{
	const struct shminfo info = { .max = shm_size_max, .min = 1, .mni = shm_segments_max, .seg = shm_segments_max, .all = shm_pages_max };

	return user_put(to, info) ? -EFAULT : highest_index();
}

static long put_usage(vaddr_t to)
{
	spin_lock(&shm_lock);
	struct shm_info info = count_all();
	spin_unlock(&shm_lock);
	return user_put(to, info) ? -EFAULT : highest_index();
}

static long put_status(int id, int command, vaddr_t to)
{
	struct shmid ds;
	long result = -EINVAL;

	spin_lock(&shm_lock);
	const struct segment *s = command == IPC_STAT ? segment_of(id) : segment_at(id);
	if (s) {
		ds = s->ds;
		result = command != SHM_STAT_ANY && !ipc_permitted(&ds.perm, 0444) ? -EACCES : command == IPC_STAT ? 0 : s->id;
	}
	spin_unlock(&shm_lock);
	return result >= 0 && user_put(to, ds) ? -EFAULT : result;
}

/* What only the owner may do; `to` is for IPC_SET. */
static long change(int id, int command, const struct ipc_perm *to)
{
	struct object *unused = NULL;
	long result = 0;

	spin_lock(&shm_lock);
	struct segment *s = segment_of(id);
	struct ipc_perm *p = s ? &s->ds.perm : NULL;
	if (!s || (command == IPC_SET && (to->uid == ~0u || to->gid == ~0u))) {
		result = -EINVAL;
	} else if (!ipc_owned(p) || (command == SHM_LOCK && !capable(CAP_IPC_LOCK) && current->limits[LIMIT_MEMLOCK].cur == 0)) {
		result = -EPERM;
	} else if (command == IPC_SET) {
		p->uid = to->uid;
		p->gid = to->gid;
		p->mode = (p->mode & ~0777u) | (to->mode & 0777);
		s->ds.ctime = vfs_now().sec;
	} else if (command == IPC_RMID) {
		p->key = 0;
		p->mode |= SHM_REMOVED;
		unused = forget_unused(s);
	} else {
		p->mode = (p->mode & ~(unsigned)SHM_LOCKED) | (command == SHM_LOCK ? SHM_LOCKED : 0);	/* nothing is ever swapped out */
	}
	spin_unlock(&shm_lock);
	if (unused)
		object_put(unused);
	return result;
}

/* shmctl(id, command, buffer) */
long sys_shmctl(const unsigned long args[6])
{
	int command = (enum shm_command)args[1];
	int id = (int)args[0];
	struct shmid ds;

	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
		return put_limits(args[2]);
	case SHM_INFO:
		return put_usage(args[2]);
	case IPC_STAT: case SHM_STAT: case SHM_STAT_ANY:
		return put_status(id, command, args[2]);
	case IPC_SET:
		if (user_get(ds, args[2]))
			return -EFAULT;
		return change(id, command, &ds.perm);
	case IPC_RMID: case SHM_LOCK: case SHM_UNLOCK:
		return change(id, command, NULL);
	default:
		return -EINVAL;
	}
}

/* ---- /proc/sysvipc/shm --------------------------------------------------------------------------------------------------------- */

static int make_list(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime"
		"                   rss                  swap\n");
	for (unsigned i = 0; i < SHM_MAX; i++) {
		spin_lock(&shm_lock);
		struct shmid ds = table[i] ? table[i]->ds : (struct shmid){ .size = 0 };
		int id = table[i] ? table[i]->id : 0;
		size_t resident = table[i] ? table[i]->object->npages : 0;
		spin_unlock(&shm_lock);
		if (!ds.size)
			continue;
		text_print(t, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu\n", ds.perm.key, id, ds.perm.mode,
			(unsigned long)ds.size, (unsigned)ds.cpid, (unsigned)ds.lpid, (unsigned long)ds.nattch, ds.perm.uid, ds.perm.gid, ds.perm.cuid,
			ds.perm.cgid, (unsigned long)ds.atime, (unsigned long)ds.dtime, (unsigned long)ds.ctime,
			(unsigned long)(resident * PAGE_SIZE), 0ul);
	}
	return 0;
}

const struct synth proc_shm_text = { .make = make_list };
