/*
 * kernel/proc.c - the tree of /proc: directories, links, and the vnodes that stand for them.
 *
 *	/proc			a table of fixed entries, then a directory for each process
 *	/proc/PID		a table; the same under task/TID
 *	/proc/PID/fd		a magic link for each descriptor: it leads to the very file, not to its path
 *	/sys			tables of fixed entries
 *
 * Locks: a directory's vnode lock is held around lookup and readdir; tree_lock comes after it.
 */
#include "kernel/proc.h"
#include "kernel/files.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { ID_ROOT = 1, ID_THREAD = 2, ID_STEP = 64, ID_FD = 1 << 20, ID_PID_SHIFT = 32 };

static const struct vnode_ops table_ops, root_ops, process_ops, text_ops, fd_link_ops;
static int proc_statfs(struct mount *, struct linux_statfs *);
static struct mount proc_fs = { .type = "proc", .source = "proc", .statfs = proc_statfs },
	sys_fs = { .type = "sysfs", .source = "sysfs", .statfs = proc_statfs };

static uint64_t child_id(uint64_t id, size_t index) { return id * ID_STEP + index + 1; }
static uint64_t inode(pid_type pid, uint64_t id) { return (uint64_t)pid << ID_PID_SHIFT | id; }

struct process *proc_lock_process(const struct proc_node *n)
{
	mutex_lock(&tree_lock);
	struct process *p = process_find(n->pid);
	if (p && p->start_ns == n->start_ns)
		return p;
	mutex_unlock(&tree_lock);
	return NULL;
}

struct process *proc_lock_thread(const struct proc_node *n, struct thread **out)
{
	struct process *p = proc_lock_process(n);
	if (!p)
		return NULL;
	struct thread *t = thread_find(n->tid);
	*out = t && t->process == p ? t : NULL;
	if (*out || n->tid == n->pid)
		return p;
	mutex_unlock(&tree_lock);
	return NULL;
}

const struct proc_node *proc_process_directory(const struct vnode *v)
{
	const struct proc_node *n = v->ops == &process_ops ? v->data : NULL;
	return n && n->pid && !n->single ? n : NULL;
}

bool proc_may_inspect(const struct process *p)
{
	const struct process *me = current;
	uint32_t uid = me->fs.uid, gid = me->fs.gid;
	bool same = uid == p->uid && uid == p->euid && uid == p->suid && gid == p->gid && gid == p->egid && gid == p->sgid;
	return p == me || capable(CAP_SYS_PTRACE) || (!p->undumpable && same);
}

void proc_unlock_process(void)
{
	mutex_unlock(&tree_lock);
}

/* ---- vnodes --------------------------------------------------------------------------- */

static int make_node(const struct proc_node *like, const struct vnode_ops *ops, uint32_t mode, struct vnode **out)
{
	struct vnode *v = vnode_create(like->mount, ops, inode(like->tid, like->id), mode, sizeof *like);
	if (!v)
		return -ENOMEM;
	*(struct proc_node *)v->data = *like;
	v->strict = like->entry && like->entry->setting;
	if (like->pid) {
		struct process *p = proc_lock_process(like);
		if (!p) {
			vnode_put(v);
			return -ENOENT;
		}
		v->uid = p->undumpable && !S_ISDIR(mode) ? 0 : p->euid;
		v->gid = p->undumpable && !S_ISDIR(mode) ? 0 : p->egid;
		proc_unlock_process();
	}
	*out = v;
	return 0;
}

static const struct vnode_ops *ops_of(const struct proc_entry *e)
{
	return e->ops ? e->ops : e->text ? &text_ops : &table_ops;
}

static bool same_name(const char *a, const char *name, size_t len)
{
	return strlen(a) == len && memcmp(a, name, len) == 0;
}

static int lookup_in(const struct proc_entry *table, const struct proc_node *dir, const char *name, size_t len, struct vnode **out)
{
	for (size_t i = 0; table[i].name; i++) {
		if (!same_name(table[i].name, name, len))
			continue;
		struct proc_node n = *dir;
		n.entry = &table[i];
		n.id = child_id(dir->id, i);
		return make_node(&n, ops_of(&table[i]), table[i].mode, out);
	}
	return -ENOENT;
}

/* FT_* is the type part of the mode. */
static unsigned dirent_type(uint32_t mode) { return (mode & S_IFMT) >> 12; }

/* Lists the table; *pos is left behind its last entry. Non-zero: the reader wants no more. */
static int list_table(const struct proc_entry *table, const struct proc_node *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	for (size_t i = 0; table[i].name; i++) {
		if (*pos > DIR_FIRST + i)
			continue;
		int stop = fn(context, table[i].name, strlen(table[i].name), inode(dir->tid, child_id(dir->id, i)), dirent_type(table[i].mode), *pos + 1);
		if (stop)
			return stop;
		++*pos;
	}
	return 0;
}

/* A decimal number without leading zeros; -1: it is none. */
static long number_of(const char *name, size_t len)
{
	long n = 0;
	if (len == 0 || len > 9 || (name[0] == '0' && len > 1))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		n = n * 10 + (name[i] - '0');
	}
	return n;
}

static int list_number(long number, uint64_t ino, unsigned type, uint64_t next, dirent_fn fn, void *context)
{
	char name[16];
	int len = snprintf(name, sizeof name, "%ld", number);
	return fn(context, name, (size_t)len, ino, type, next);
}

/* ---- directories with a table ------------------------------------------------------------ */

static int table_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	const struct proc_node *n = dir->data;
	return lookup_in(n->entry->inside, n, name, len, out);
}

static int table_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	const struct proc_node *n = dir->data;
	list_table(n->entry->inside, n, pos, fn, context);
	return 0;
}

static const struct vnode_ops table_ops = { .lookup = table_lookup, .readdir = table_readdir };

static const struct proc_entry *table_of_process(const struct proc_node *n)
{
	return n->id == ID_THREAD ? proc_thread_entries : proc_process_entries;
}

static int process_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	return lookup_in(table_of_process(dir->data), dir->data, name, len, out);
}

static int process_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	if (!proc_lock_process(dir->data))
		return -ENOENT;
	proc_unlock_process();
	list_table(table_of_process(dir->data), dir->data, pos, fn, context);
	return 0;
}

static const struct vnode_ops process_ops = { .lookup = process_lookup, .readdir = process_readdir };

/* ---- /sys/devices/system/cpu ------------------------------------------------------------------- */

/* Positions and numbers: the table's, then from FIRST_CPU on. */
enum { FIRST_CPU = ID_STEP - CPUS_MAX - DIR_FIRST };

static uint64_t cpu_id(const struct proc_node *dir, unsigned cpu) { return child_id(dir->id, FIRST_CPU + cpu); }

static int cpu_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct proc_node n = *(const struct proc_node *)dir->data;
	long cpu = len > 3 && memcmp(name, "cpu", 3) == 0 ? number_of(name + 3, len - 3) : -1;
	if (cpu < 0 || cpu >= (long)cpu_count)
		return table_lookup(dir, name, len, out);
	n.id = cpu_id(&n, (unsigned)cpu);
	n.entry = &sys_cpu_entry;
	n.fd = (int)cpu;
	return make_node(&n, &table_ops, sys_cpu_entry.mode, out);
}

static int cpu_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	const struct proc_node *n = dir->data;
	if (*pos < FIRST_CPU) {
		if (list_table(n->entry->inside, n, pos, fn, context))
			return 0;
		*pos = FIRST_CPU;
	}
	for (; *pos < FIRST_CPU + cpu_count; ++*pos) {
		char name[8];
		unsigned cpu = (unsigned)(*pos - FIRST_CPU);
		int len = snprintf(name, sizeof name, "cpu%u", cpu);
		if (fn(context, name, (size_t)len, inode(0, cpu_id(n, cpu)), FT_DIR, *pos + 1))
			break;
	}
	return 0;
}

const struct vnode_ops sys_cpu_ops = { .lookup = cpu_lookup, .readdir = cpu_readdir };

/* ---- the root ------------------------------------------------------------------------------ */

/* The directory of a thread, and of its process if pid is 0; else the process must be that one. */
static int process_node(pid_type pid, pid_type tid, uint64_t id, struct vnode **out)
{
	struct proc_node n = { .mount = &proc_fs, .tid = tid, .id = id, .single = id == ID_THREAD };
	mutex_lock(&tree_lock);
	struct process *p = process_of(tid);
	if (p && (!pid || p->pid == pid)) {
		n.pid = p->pid;
		n.start_ns = p->start_ns;
	}
	mutex_unlock(&tree_lock);
	return n.pid ? make_node(&n, &process_ops, S_IFDIR | 0555, out) : -ENOENT;
}

static int root_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	long pid = number_of(name, len);
	if (pid > 0)
		return process_node(0, (pid_type)pid, ID_ROOT, out);
	return lookup_in(proc_root_entries, dir->data, name, len, out);
}

/* The first process with a number of at least `from`; 0: none. */
static pid_type next_process(uint64_t from)
{
	pid_type found = 0;
	mutex_lock(&tree_lock);
	list_for_each(l, &process_list) {
		pid_type pid = container_of(l, struct process, all)->pid;
		if ((uint64_t)pid >= from) {
			found = pid;
			break;
		}
	}
	mutex_unlock(&tree_lock);
	return found;
}

/* Positions: the table's, then FIRST_PID + number. */
static int root_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	enum { FIRST_PID = 256 };
	pid_type pid;

	if (*pos < FIRST_PID) {
		if (list_table(proc_root_entries, dir->data, pos, fn, context))
			return 0;
		*pos = FIRST_PID;
	}
	while ((pid = next_process(*pos - FIRST_PID)) != 0) {
		uint64_t next = (uint64_t)FIRST_PID + (uint64_t)pid + 1;
		if (list_number(pid, inode(pid, ID_ROOT), FT_DIR, next, fn, context))
			break;
		*pos = next;
	}
	return 0;
}

static const struct vnode_ops root_ops = { .lookup = root_lookup, .readdir = root_readdir };

static int proc_statfs(struct mount *m, struct linux_statfs *s)
{
	s->type = m->dev == proc_fs.dev ? STATFS_PROC : STATFS_SYSFS;
	return 0;
}

static void mount_free(struct mount *m)
{
	kfree(m);
}

/* The first mount of a file system is the structure that is there; others are further ways to the same nodes, with a root of their own. */
static struct mount *mount_again(struct mount *first, struct proc_node root, const struct vnode_ops *ops)
{
	struct mount *m = first;
	if (first->root) {
		m = kmalloc(sizeof *m);
		if (!m)
			return NULL;
		*m = (struct mount){ .type = first->type, .source = first->source, .dev = first->dev, .statfs = first->statfs, .free = mount_free };
	}
	root.mount = m;
	if (make_node(&root, ops, S_IFDIR | 0555, &m->root) == 0)
		return m;
	if (m != first)
		kfree(m);
	return NULL;
}

struct mount *proc_mount(void)
{
	return mount_again(&proc_fs, (struct proc_node){ .id = ID_ROOT }, &root_ops);
}

struct mount *sysfs_mount(void)
{
	static const struct proc_entry directory = { .name = "/", .inside = sys_root_entries };
	return mount_again(&sys_fs, (struct proc_node){ .entry = &directory, .id = ID_ROOT }, &table_ops);
}

/* ---- task/ ---------------------------------------------------------------------------------- */

static int task_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	const struct proc_node *n = dir->data;
	long tid = number_of(name, len);
	return tid > 0 ? process_node(n->pid, (pid_type)tid, ID_THREAD, out) : -ENOENT;
}

/* The lowest number of a thread that is at least `from`; 0: none. */
static pid_type next_thread(const struct proc_node *n, uint64_t from)
{
	struct process *p = proc_lock_process(n);
	if (!p)
		return 0;
	pid_type found = (uint64_t)p->pid >= from ? p->pid : 0;		/* also when the leader has exited */
	list_for_each(l, &p->threads) {
		pid_type tid = container_of(l, struct thread, siblings)->tid;
		if ((uint64_t)tid >= from && (!found || tid < found))
			found = tid;
	}
	proc_unlock_process();
	return found;
}

/* Positions: DIR_FIRST + number. */
static int task_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	pid_type tid;
	while ((tid = next_thread(dir->data, *pos - DIR_FIRST)) != 0) {
		uint64_t next = (uint64_t)DIR_FIRST + (uint64_t)tid + 1;
		if (list_number(tid, inode(tid, ID_THREAD), FT_DIR, next, fn, context))
			break;
		*pos = next;
	}
	return 0;
}

const struct vnode_ops proc_task_ops = { .lookup = task_lookup, .readdir = task_readdir };

/* ---- fd/ and fdinfo/ -------------------------------------------------------------------------- */

/* The open file, with a reference; NULL: the process or the descriptor is gone. */
static struct file *file_of(const struct proc_node *n, int fd)
{
	struct process *p = proc_lock_process(n);
	if (!p)
		return NULL;
	struct file *f = p->files && proc_may_inspect(p) ? files_get(p->files, fd) : NULL;
	proc_unlock_process();
	return f;
}

/* The next open descriptor at or above fd; -1: none. */
static int next_descriptor(const struct proc_node *n, int fd)
{
	struct process *p = proc_lock_process(n);
	if (!p)
		return -1;
	fd = p->files ? files_next(p->files, fd) : -1;
	proc_unlock_process();
	return fd;
}

static int fd_readdir_as(struct vnode *dir, uint64_t *pos, unsigned type, dirent_fn fn, void *context)
{
	const struct proc_node *n = dir->data;
	int fd;
	while (*pos <= INT32_MAX && (fd = next_descriptor(n, (int)(*pos - DIR_FIRST))) >= 0) {
		uint64_t next = (uint64_t)fd + DIR_FIRST + 1;
		if (list_number(fd, inode(n->tid, n->id * ID_FD + (uint64_t)fd), type, next, fn, context))
			break;
		*pos = next;
	}
	return 0;
}

static int fd_node(const struct proc_node *dir, const char *name, size_t len, struct proc_node *n, struct file **f)
{
	long fd = number_of(name, len);
	if (fd < 0)
		return -ENOENT;
	*f = file_of(dir, (int)fd);
	if (!*f)
		return -ENOENT;
	*n = *dir;
	n->fd = (int)fd;
	n->id = dir->id * ID_FD + (uint64_t)fd;
	return 0;
}

/* The link's permissions say how the file is open. */
static int fd_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct proc_node n;
	struct file *f;
	int error = fd_node(dir->data, name, len, &n, &f);
	if (error)
		return error;
	uint32_t mode = S_IFLNK | 0100 | (file_readable(f) ? 0400 : 0) | (file_writable(f) ? 0200 : 0);
	file_put(f);
	return make_node(&n, &fd_link_ops, mode, out);
}

static int fd_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	return fd_readdir_as(dir, pos, FT_LNK, fn, context);
}

const struct vnode_ops proc_fd_ops = { .lookup = fd_lookup, .readdir = fd_readdir };

static ssize fd_readlink(struct vnode *v, char *to, size_t size)
{
	const struct proc_node *n = v->data;
	struct file *f = file_of(n, n->fd);
	if (!f)
		return -ENOENT;
	char *path = kmalloc(PATH_MAX_BYTES);
	struct vnode *root = fs_context_root(&current->fs);
	ssize len = path ? file_path(root, f, path, PATH_MAX_BYTES) : -ENOMEM;
	if (len > (ssize)size)
		len = (ssize)size;
	if (len > 0)
		memcpy(to, path, (size_t)len);
	kfree(path);
	vnode_put(root);
	file_put(f);
	return len;
}

static int fd_follow(struct vnode *v, struct vnode **out)
{
	const struct proc_node *n = v->data;
	struct file *f = file_of(n, n->fd);
	if (!f)
		return -ENOENT;
	*out = vnode_ref(f->vnode);
	file_put(f);
	return 0;
}

static const struct vnode_ops fd_link_ops = { .readlink = fd_readlink, .follow = fd_follow };

static int make_fdinfo(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	struct file *f = file_of(n, n->fd);
	(void)v;
	if (!f)
		return -ENOENT;
	text_print(t, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%llu\nino:\t%llu\n", (unsigned long long)f->pos, f->flags,
		(unsigned long long)(f->vnode->mount ? f->vnode->mount->dev : 0), (unsigned long long)f->vnode->ino);
	if (f->ops->show)
		f->ops->show(f, t);
	file_put(f);
	return 0;
}

static const struct synth fdinfo_text = { .make = make_fdinfo };
static const struct proc_entry fdinfo_entry = { .name = "fdinfo", .mode = S_IFREG | 0444, .text = &fdinfo_text };

static int fdinfo_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct proc_node n;
	struct file *f;
	int error = fd_node(dir->data, name, len, &n, &f);
	if (error)
		return error;
	file_put(f);
	n.entry = &fdinfo_entry;
	return make_node(&n, &text_ops, fdinfo_entry.mode, out);
}

static int fdinfo_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	return fd_readdir_as(dir, pos, FT_REG, fn, context);
}

const struct vnode_ops proc_fdinfo_ops = { .lookup = fdinfo_lookup, .readdir = fdinfo_readdir };

/* ---- exe, cwd, root ----------------------------------------------------------------------------- */

enum place { PLACE_EXE, PLACE_CWD, PLACE_ROOT };

static int follow_place(const struct proc_node *n, enum place which, struct vnode **out)
{
	struct process *p = proc_lock_process(n);
	if (!p)
		return -ENOENT;
	bool allowed = proc_may_inspect(p);
	*out = NULL;
	if (allowed && which == PLACE_EXE)
		*out = p->exe ? vnode_ref(p->exe) : NULL;
	else if (allowed && p->fs.root)			/* else it has exited, or is the first and not there yet */
		*out = which == PLACE_CWD ? fs_context_cwd(&p->fs) : fs_context_root(&p->fs);
	proc_unlock_process();
	return !allowed ? -EACCES : *out ? 0 : -ENOENT;
}

static ssize read_place(const struct proc_node *n, enum place which, char *to, size_t size)
{
	struct vnode *target;
	ssize len = follow_place(n, which, &target);
	if (len)
		return len;
	char *path = kmalloc(PATH_MAX_BYTES);
	struct vnode *root = fs_context_root(&current->fs);
	len = path ? vnode_path(root, target, path, PATH_MAX_BYTES) : -ENOMEM;
	if (len > (ssize)size)
		len = (ssize)size;
	if (len > 0)
		memcpy(to, path, (size_t)len);
	kfree(path);
	vnode_put(root);
	vnode_put(target);
	return len;
}

static ssize exe_readlink(struct vnode *v, char *to, size_t size) { return read_place(v->data, PLACE_EXE, to, size); }
static ssize cwd_readlink(struct vnode *v, char *to, size_t size) { return read_place(v->data, PLACE_CWD, to, size); }
static ssize root_readlink(struct vnode *v, char *to, size_t size) { return read_place(v->data, PLACE_ROOT, to, size); }
static int exe_follow(struct vnode *v, struct vnode **out) { return follow_place(v->data, PLACE_EXE, out); }
static int cwd_follow(struct vnode *v, struct vnode **out) { return follow_place(v->data, PLACE_CWD, out); }
static int root_follow(struct vnode *v, struct vnode **out) { return follow_place(v->data, PLACE_ROOT, out); }

const struct vnode_ops proc_exe_ops = { .readlink = exe_readlink, .follow = exe_follow };
const struct vnode_ops proc_cwd_ops = { .readlink = cwd_readlink, .follow = cwd_follow };
const struct vnode_ops proc_root_link_ops = { .readlink = root_readlink, .follow = root_follow };

/* ---- self ------------------------------------------------------------------------------------------ */

static ssize print_link(char *to, size_t size, const char *text)
{
	size_t len = strlen(text) < size ? strlen(text) : size;
	memcpy(to, text, len);
	return (ssize)len;
}

static ssize self_readlink(struct vnode *v, char *to, size_t size)
{
	char text[16];
	(void)v;
	snprintf(text, sizeof text, "%d", current->pid);
	return print_link(to, size, text);
}

static ssize thread_self_readlink(struct vnode *v, char *to, size_t size)
{
	char text[32];
	(void)v;
	snprintf(text, sizeof text, "%d/task/%d", current->pid, current_thread()->tid);
	return print_link(to, size, text);
}

const struct vnode_ops proc_self_ops = { .readlink = self_readlink };
const struct vnode_ops proc_thread_self_ops = { .readlink = thread_self_readlink };

/* ---- ns/ --------------------------------------------------------------------------------------------- */

static ssize ns_readlink(struct vnode *v, char *to, size_t size)
{
	static const struct { const char *name; unsigned number; } spaces[] = {
		{ "cgroup", 4026531835u }, { "ipc", 4026531839u }, { "mnt", 4026531841u }, { "net", 4026531840u }, { "pid", 4026531836u }, { "time", 4026531834u },
		{ "user", 4026531837u }, { "uts", 4026531838u },
	};
	const struct proc_node *n = v->data;
	char text[32];
	struct process *p = proc_lock_process(n);
	if (!p)
		return -ENOENT;
	bool allowed = proc_may_inspect(p);
	proc_unlock_process();
	if (!allowed)
		return -EACCES;
	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
		const char *name = spaces[i].name;
		if (strncmp(n->entry->name, name, strlen(name)) == 0)
			snprintf(text, sizeof text, "%s:[%u]", name, spaces[i].number);
	}
	return print_link(to, size, text);
}

const struct vnode_ops proc_ns_ops = { .readlink = ns_readlink };

/* ---- regular files ----------------------------------------------------------------------------------- */

static int text_open(struct vnode *v, struct file *f)
{
	const struct proc_node *n = v->data;
	return synth_open(f, n->entry->text, v->data);
}

int proc_text_setattr(struct vnode *v, const struct vattr *a, unsigned which)
{
	(void)v, (void)a;
	return which & ~(unsigned)VATTR_SIZE ? -EPERM : 0;	/* O_TRUNC, as of a shell's '>', does nothing */
}

static const struct vnode_ops text_ops = { .open = text_open, .setattr = proc_text_setattr };
