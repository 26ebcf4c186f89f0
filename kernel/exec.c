/*
 * kernel/exec.c - execve: a new program for a process.
 *
 * In this order, so that any failure leaves the process as it was:
 *   1. find the program; a script (#!) names its interpreter, up to four times;
 *   2. copy the strings from the old space into kernel pages (exec_args.c);
 *   3. build a new space: segments and stack are mapped, nothing is read but the headers;
 *   4. end the other threads, switch to the new space, write the strings, argument vectors and auxiliary vector to its stack;
 *   5. what cannot fail: the old space goes, signal handlers, descriptors and registers are reset.
 *
 * Once other threads have ended there is no way back: if memory runs out in the new space then, the process dies, as it does on Linux.
 */
#include "kernel/exec.h"
#include "kernel/files.h"
#include "kernel/life.h"
#include "kernel/posix_timer.h"
#include "kernel/sched.h"
#include "kernel/signal.h"
#include "kernel/sys_file.h"
#include "kernel/vdso.h"
#include "arch/cpu.h"
#include "arch/uaccess.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/mmap.h"

static const size_t STACK_EXTRA = 32 * 4096;

static int  find_program(struct exec *, struct vnode *at, const char *path);
static int  build_space(struct exec *);
static int  find_identity(struct exec *);
static int  own_tables(struct exec *);
static int  enter_space(struct exec *);
static void commit(struct exec *);
static void drop(struct exec *);

long process_exec(struct vnode *at, const char *path, const struct exec_strings *strings)
{
	struct exec *e = kzalloc(sizeof *e);
	if (!e)
		return -ENOMEM;
	e->process = current;
	e->first_script_string = EXEC_SCRIPT_STRINGS;
	int error = find_program(e, at, path);
	if (!error)
		error = exec_gather(e, strings, path);
	if (!error)
		error = find_identity(e);
	if (!error)
		error = build_space(e);
	if (!error)
		error = own_tables(e);
	bool alone = e->process->nthreads == 1;
	const pid_type tid = current_thread()->tid;
	if (!error)
		error = process_end_others(e->process);
	if (!error) {
		error = enter_space(e);
		current_thread()->futex_left = false;	/* it did not end after all */
		if (error && !alone)
			signal_send_process(e->process, SIGKILL, NULL);
	}
	if (!error)
		commit(e);
	drop(e);
	if (!error)
		trace_exec(tid);
	return error;
}

/* ---- 1. the program ------------------------------------------------------------------ */

/* Opens a file that may be executed.  Reading it is the kernel's business: the right to execute is enough. */
static int open_executable(struct fs_context *fs, struct vnode *at, const char *path, struct file **out)
{
	struct vnode *vnode;
	struct fs_context kernel = *fs;
	int error = 0;
	if (at && path[0] == '\0')
		vnode = vnode_ref(at);
	else
		error = vfs_walk(fs, at, path, WALK_FOLLOW, &vnode);
	if (error)
		return error;
	kernel.rights = FS_RIGHTS_ALL;
	if (!S_ISREG(vnode->mode) || vnode->mount->flags & MOUNT_NO_EXEC)
		error = -EACCES;
	else
		error = vfs_permission(fs, vnode, MAY_EXECUTE);
	if (!error)
		error = vfs_open_vnode(&kernel, vnode, OPEN_READ, out);
	vnode_put(vnode);
	return error;
}

/* What ps shows: the path's last part. */
static void set_name(struct exec *e, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	memcpy(e->name, name, strnlen(name, sizeof e->name - 1));
}

static void drop_program(struct exec *e)
{
	if (e->runs)
		vnode_end_run(e->file->vnode);
	e->runs = false;
	file_put(e->file);
	e->file = NULL;
}

static int find_program(struct exec *e, struct vnode *at, const char *path)
{
	struct fs_context *fs = my_fs();
	const char *program = path;

	set_name(e, path);
	for (unsigned depth = 0; ; depth++) {
		int error = open_executable(fs, at, program, &e->file);
		if (!error)
			error = vnode_begin_run(e->file->vnode);
		if (error)
			return error;
		e->runs = true;
		error = exec_script(e, program);
		if (error < 0)
			return error;
		if (error == 0)
			break;
		if (depth == EXEC_SCRIPT_DEPTH)
			return -ELOOP;
		drop_program(e);
		program = e->script_string[e->first_script_string];
		at = NULL;
	}
	int error = elf_open(&e->image, e->file->vnode->object);
	if (error)
		return error;

	char *interpreter;
	error = elf_interpreter(&e->image, &interpreter);
	if (error || !interpreter)
		return error;
	error = open_executable(fs, NULL, interpreter, &e->interpreter_file);
	kfree(interpreter);
	if (!error)
		error = elf_open(&e->interpreter, e->interpreter_file->vnode->object);
	return error == -ENOEXEC ? -ELIBBAD : error;
}

/* ---- 3. the new space ------------------------------------------------------------------ */

static int map_file(struct exec *e, struct elf_image *image, struct file *file, enum elf_role role)
{
	struct object *object;
	int error = file_map_check(file, VM_READ | VM_EXEC, MAP_PRIVATE, &object);
	return error ? error : elf_map(image, e->space, role, e->layout.program);
}

static int build_space(struct exec *e)
{
	struct space *s = e->space = space_create();
	const struct exec_layout *layout = &e->layout;
	bool exec_stack = elf_wants_exec_stack(&e->image);

	if (!s)
		return -ENOMEM;
	exec_choose_layout(e);
	s->stack_limit = layout->stack_limit;
	s->mmap_top = layout->mmap_top - MMU_TABLE_REACH;	/* above it the vDSO alone: fork can share a table in which all is anonymous */
	int error = map_file(e, &e->image, e->file, ELF_PROGRAM);
	if (!error && e->interpreter_file)
		error = map_file(e, &e->interpreter, e->interpreter_file, ELF_INTERPRETER);
	if (!error)
		error = vdso_map(s, layout->mmap_top, &e->vdso);
	if (error)
		return error;
	vm_set_brk(s, page_ceil(e->image.end) + layout->brk_distance);
	size_t initial = page_ceil(exec_stack_bytes(e)) + STACK_EXTRA;
	if (initial > s->stack_limit)
		initial = page_floor(s->stack_limit);
	return vm_map_stack(s, layout->stack_top, initial, VM_READ | VM_WRITE | (exec_stack ? VM_EXEC : 0));
}

/* set-user-ID and set-group-ID programs: what the new program will be. */
static int find_identity(struct exec *e)
{
	const struct process *p = e->process;
	struct vattr attr;
	int error = vfs_getattr(e->file->vnode, &attr);
	if (error)
		return error;
	bool gains = !p->no_new_privileges && !(e->file->vnode->mount->flags & MOUNT_NO_SETID) && !current_thread()->trace;	/* who is traced gains nothing */
	bool set_uid = gains && (attr.mode & S_ISUID), set_gid = gains && (attr.mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	e->euid = set_uid ? attr.uid : p->euid;
	e->egid = set_gid ? attr.gid : p->egid;
	e->personality = p->personality & (set_uid || set_gid ? ~(uint32_t)PERSONALITY_UNSAFE : ~0u);
	e->secure = e->euid != p->uid || e->egid != p->gid;
	return 0;
}

/* A table of descriptors, or of signal actions, that other processes use, too, is left to them. */
static int own_tables(struct exec *e)
{
	struct process *p = e->process;
	if (files_shared(p->files) && !(e->files = files_copy(p->files)))
		return -ENOMEM;
	if (__atomic_load_n(&signal_actions_of(p)->refs, __ATOMIC_RELAXED) > 1 && !(e->actions = signal_actions_create(p)))
		return -ENOMEM;
	return 0;
}

/* ---- 4. entering it -------------------------------------------------------------------- */

static struct space *exchange_space(struct process *p, struct space *s)
{
	mutex_lock(&tree_lock);
	struct space *old = p->space;
	p->space = s;
	mutex_unlock(&tree_lock);
	sched_use_space(s);
	return old;
}

static int enter_space(struct exec *e)
{
	thread_leave_memory(current_thread());
	struct space *old = exchange_space(e->process, e->space);
	int error = elf_zero_tails(&e->image);
	if (!error && e->interpreter_file)
		error = elf_zero_tails(&e->interpreter);
	if (!error)
		error = exec_write_stack(e);
	if (error)
		old = exchange_space(e->process, old);
	e->space = old;				/* the one that is to go */
	return error;
}

static void take_tables(struct exec *e)
{
	struct process *p = e->process;
	struct file_table *files = p->files;
	struct signal_actions *actions = signal_actions_of(p);
	mutex_lock(&tree_lock);
	if (e->files)
		p->files = e->files;
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	if (e->actions)
		p->actions = e->actions->action;
	spin_unlock_irq(&p->signal_lock, irq);
	mutex_unlock(&tree_lock);
	e->files = e->files ? files : NULL;	/* the shared ones, to be put by drop */
	e->actions = e->actions ? actions : NULL;
}

/* ---- 5. no way back ---------------------------------------------------------------------- */

static void commit(struct exec *e)
{
	struct process *p = e->process;
	struct thread *t = current_thread();
	struct vnode *program = vnode_ref(e->file->vnode), *before;

	mount_use(program->mount);

	if (e->space)
		process_note_resident(p, e->space);	/* the old one; the first process had none */
	thread_release_vfork(t);
	t->rseq.at = 0;
	p->barrier_registered = false;
	take_tables(e);
	files_close_on_exec(p->files);
	posix_timers_drop(p);
	signal_exec(p);
	if (e->euid != p->euid || e->egid != p->egid)
		p->death_signal = 0;
	frame_exec(&t->arch, e->interpreter_file ? e->interpreter.entry : e->image.entry, e->stack);

	mutex_lock(&tree_lock);
	memcpy(p->name, e->name, sizeof p->name);
	bool gained = e->euid != p->uid || e->egid != p->gid;
	p->undumpable = e->euid != p->uid || e->egid != p->gid;
	p->euid = p->suid = p->fs.uid = e->euid;
	p->egid = p->sgid = p->fs.gid = e->egid;
	p->personality = e->personality;
	capabilities_exec(p, gained);
	p->layout = e->told;
	before = p->exe;
	p->exe = program;
	p->executed = true;
	mutex_unlock(&tree_lock);
	e->runs = false;			/* as long as the process has it */
	process_put_program(before);
}

static void drop(struct exec *e)
{
	if (e->space)
		space_put(e->space);
	if (e->files)
		files_put(e->files);
	signal_actions_put(e->actions);
	elf_close(&e->image);
	elf_close(&e->interpreter);
	drop_program(e);
	file_put(e->interpreter_file);
	exec_drop_strings(e);
	kfree(e);
}
