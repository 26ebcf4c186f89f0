/*
 * kernel/process.c - the table of processes: numbers, search, birth and end of the structures.
 *
 * Every process is in process_list, in the order of its number, and in a hash table.  Numbers rise and wrap around; one that is still
 * a group's or a session's is not given out.
 *
 * Lock: tree_lock for all of it.
 */
#include "kernel/sched.h"
#include "kernel/files.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { HASH_SIZE = 64, PID_MAX = 32768, PID_AFTER_WRAP = 300 };

struct mutex tree_lock;
struct list process_list = LIST_INIT(process_list);
static struct list hash[HASH_SIZE];
static size_t processes;
static pid_type last_pid;
static bool wrapped;

void process_init(void)
{
	mutex_init(&tree_lock, "process tree", RANK_PROCESS);
	for (size_t i = 0; i < HASH_SIZE; i++)
		list_init(&hash[i]);
}

struct process *process_find(pid_type pid)
{
	struct list *bucket = &hash[(uint32_t)pid % HASH_SIZE];
	list_for_each(l, bucket) {
		struct process *p = container_of(l, struct process, hash);
		if (p->pid == pid)
			return p;
	}
	return NULL;
}

size_t process_count(void)
{
	return processes;
}

pid_type process_last_pid(void)
{
	return last_pid;
}

static bool number_in_use(pid_type n)
{
	list_for_each(l, &process_list) {
		const struct process *p = container_of(l, struct process, all);
		if (p->pid == n || p->pgid == n || p->sid == n)
			return true;
	}
	return false;
}

/* 0: all are taken. */
static pid_type new_pid(void)
{
	for (pid_type tries = 0; tries < PID_MAX; tries++) {
		if (++last_pid >= PID_MAX) {
			last_pid = PID_AFTER_WRAP;
			wrapped = true;
		}
		if (!wrapped || !number_in_use(last_pid))
			return last_pid;
	}
	return 0;
}

int process_insert(struct process *p)
{
	p->pid = new_pid();
	if (!p->pid)
		return -EAGAIN;
	struct list *before = process_list.prev;
	while (before != &process_list && container_of(before, struct process, all)->pid > p->pid)
		before = before->prev;
	list_insert_between(&p->all, before, before->next);
	list_push(&hash[(uint32_t)p->pid % HASH_SIZE], &p->hash);
	processes++;
	return 0;
}

void process_remove(struct process *p)
{
	list_remove(&p->all);
	list_remove(&p->hash);
	list_remove(&p->sibling);
	processes--;
}

struct process *process_create(struct process *parent)
{
	struct process *p = kzalloc(sizeof *p);
	struct thread *t = p ? thread_create() : NULL;
	if (!t) {
		kfree(p);
		return NULL;
	}
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->threads);
	waitq_init(&p->child_event);
	waitq_init(&p->vfork_done);
	signal_init_process(p, parent);
	t->process = p;
	list_append(&p->threads, &t->siblings);
	return p;
}

struct thread *process_thread(const struct process *p)
{
	return container_of(p->threads.next, struct thread, siblings);
}

void process_drop_files(struct process *p)
{
	mutex_lock(&tree_lock);			/* /proc looks at them */
	struct file_table *files = p->files;
	struct fs_context fs = p->fs;
	struct vnode *exe = p->exe;
	p->files = NULL;
	p->exe = NULL;
	p->fs.root = p->fs.cwd = NULL;
	mutex_unlock(&tree_lock);

	if (files)
		files_put(files);
	if (fs.root)
		fs_context_drop(&fs);
	process_put_program(exe);
}

void process_put_program(struct vnode *exe)
{
	if (exe)
		vnode_end_run(exe);
	vnode_put(exe);
}
