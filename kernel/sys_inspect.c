/*
 * kernel/sys_inspect.c - calls by which one process looks into another: process_vm_readv, process_vm_writev, kcmp.
 *
 * Who may do so is who could trace it: proc_may_inspect.
 */
#include "arch/uaccess.h"
#include "kernel/life.h"
#include "kernel/files.h"
#include "kernel/proc.h"
#include "kernel/remote.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "vm/heap.h"

/* ---- memory ----------------------------------------------------------------------------------- */

enum { IOV_MOST = 1024 };
struct iovec64 { uint64_t base, len; };

/* One side of a copy: an array of ranges in user memory of the caller, read as it is needed, and how far one has come in it. */
struct ranges { vaddr_t array; size_t n, next; struct iovec64 now; };

/* To the next byte that there is: 1; 0: none; -EFAULT. */
static int next_range(struct ranges *r)
{
	while (r->now.len == 0) {
		if (r->next == r->n)
			return 0;
		if (user_get(r->now, r->array + r->next++ * sizeof r->now))
			return -EFAULT;
	}
	return 1;
}

static void advance(struct ranges *r, size_t n)
{
	r->now.base += n;
	r->now.len -= n;
}

/* A piece of both, which the page in between can hold.  The bytes moved; fewer than n: a fault. */
static size_t move_piece(struct space *s, struct ranges *local, struct ranges *remote, size_t n, char *page, enum remote_access access)
{
	size_t done;
	if (access == REMOTE_READ) {
		size_t got = remote_copy(s, remote->now.base, page, n, access);
		done = got - user_copy_out(local->now.base, page, got);
	} else {
		size_t got = n - user_copy_in(page, local->now.base, n);
		done = remote_copy(s, remote->now.base, page, got, access);
	}
	advance(local, done);
	advance(remote, done);
	return done;
}

static long move_all(struct space *s, struct ranges *local, struct ranges *remote, enum remote_access access)
{
	char *page = kmalloc(PAGE_SIZE);
	long total = 0;
	int more = 1;
	if (!page)
		return -ENOMEM;
	while ((more = next_range(local)) > 0 && (more = next_range(remote)) > 0) {
		size_t n = local->now.len < remote->now.len ? local->now.len : remote->now.len;
		if (n > PAGE_SIZE - (remote->now.base & PAGE_MASK))
			n = PAGE_SIZE - (remote->now.base & PAGE_MASK);
		size_t done = move_piece(s, local, remote, n, page, access);
		total += (long)done;
		if (done < n) {
			more = -EFAULT;
			break;
		}
		if (signal_fatal_pending(current_thread()))
			break;
	}
	kfree(page);
	return total ? total : more;
}

/* The caller's ranges as readv takes them: each a range of user memory, all together no more than fits a result; the rest is passed over. */
static long check_local(const struct ranges *r)
{
	struct iovec64 v;
	size_t total = 0;
	for (size_t i = 0; i < r->n; i++) {
		if (user_get(v, r->array + i * sizeof v))
			return -EFAULT;
		if ((int64_t)v.len < 0)
			return -EINVAL;
		if (v.len > USER_MAX || v.base > USER_MAX - v.len)
			return -EFAULT;
		total += v.len;
	}
	return (long)(total < INT64_MAX ? total : INT64_MAX);
}

static long find_space(pid_type pid, struct space **out)
{
	mutex_lock(&tree_lock);
	const struct process *p = process_of(pid);
	bool allowed = p && p->space && proc_may_inspect(p);
	*out = allowed ? space_ref(p->space) : NULL;
	long error = !p || !p->space ? -ESRCH : allowed ? 0 : -EPERM;
	mutex_unlock(&tree_lock);
	return error;
}

static long process_vm(const unsigned long args[6], enum remote_access access)
{
	struct ranges local = { .array = args[1], .n = args[2] }, remote = { .array = args[3], .n = args[4] };
	struct space *s;
	if (args[5] || args[2] > IOV_MOST || args[4] > IOV_MOST)
		return -EINVAL;
	long result = check_local(&local);
	if (result <= 0)
		return result;
	for (size_t i = 0; i < remote.n; i++) {		/* all can be read before anything is moved */
		struct iovec64 v;
		if (user_get(v, remote.array + i * sizeof v))
			return -EFAULT;
		if ((int64_t)v.len < 0)
			return -EINVAL;
	}
	result = find_space((pid_type)args[0], &s);
	if (result)
		return result;
	result = move_all(s, &local, &remote, access);
	space_put(s);
	return result;
}

/* process_vm_readv(pid, *local, n, *remote, n, flags) and its reverse: bytes moved, up to the first that cannot be. */
long sys_process_vm_readv(const unsigned long args[6]) { return process_vm(args, REMOTE_READ); }
long sys_process_vm_writev(const unsigned long args[6]) { return process_vm(args, REMOTE_WRITE); }

/* ---- kcmp --------------------------------------------------------------------------------------- */

enum kcmp_kind { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM };

/* What of a process is compared.  NULL: there is none.  tree_lock held: a file comes with a reference, which is dropped without it. */
static const void *thing_of(struct process *p, enum kcmp_kind kind, int fd)
{
	switch (kind) {
	case KCMP_FILE:
		return p->files ? files_get(p->files, fd) : NULL;
	case KCMP_VM:
		return p->space;
	case KCMP_FILES:
		return p->files;
	case KCMP_FS:
		return p->fs.root ? fs_context_shared(&p->fs) : NULL;
	case KCMP_SIGHAND:
		return p->actions;
	case KCMP_SYSVSEM:
		return semaphores_owed_by(p) ? p : NULL;
	default:
		return NULL;
	}
}

/* 0: the same; 1, 2: less, or more, in an order that does not tell where things are. */
static long compare(const void *a, const void *b)
{
	const uintptr_t scramble = 0x9e3779b97f4a7c15;
	uintptr_t x = (uintptr_t)a * scramble, y = (uintptr_t)b * scramble;
	return x == y ? 0 : x < y ? 1 : 2;
}

/* kcmp(pid, pid, kind, index, index) */
long sys_kcmp(const unsigned long args[6])
{
	const enum kcmp_kind kind = (enum kcmp_kind)args[2];
	mutex_lock(&tree_lock);
	struct process *p = process_of((pid_type)args[0]), *q = process_of((pid_type)args[1]);
	const void *a = NULL, *b = NULL;
	long result = !p || !q ? -ESRCH : !proc_may_inspect(p) || !proc_may_inspect(q) ? -EPERM : kind > KCMP_SYSVSEM ? -EINVAL : 0;
	if (!result) {
		a = thing_of(p, kind, (int)args[3]);
		b = thing_of(q, kind, (int)args[4]);
		result = kind == KCMP_FILE && (!a || !b) ? -EBADF : compare(a, b);
	}
	mutex_unlock(&tree_lock);
	if (kind == KCMP_FILE) {
		file_put((struct file *)(uintptr_t)a);
		file_put((struct file *)(uintptr_t)b);
	}
	return result;
}
