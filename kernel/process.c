/*
 * kernel/process.c - the tables of processes and threads: numbers, search, birth and end of the structures.
 *
 * Every process is in process_list, in the order of its number, and in a hash table; every thread is in another.  Their numbers are of one kind: they
 * rise and wrap around, and one that is still a thread's, a process's, a group's or a session's is not given out.
 *
 * Lock: tree_lock for all of it.
 */
#include "kernel/sched.h"
#include "kernel/files.h"
#include "kernel/settings.h"
#include "lib/string.h"
#include "vm/frame.h"
#include "vm/heap.h"

/* As on Linux: the kernel stacks of all threads together take no more than an eighth of memory. */
enum { HASH_SIZE = 256, PID_AFTER_WRAP = 300, STACKS_SHARE = 8, THREADS_MIN = 20 };

struct mutex tree_lock;
struct list process_list = LIST_INIT(process_list);
static struct list hash[HASH_SIZE], thread_hash[HASH_SIZE];
static size_t tasks;			/* threads, and processes whose leader is gone */
static pid_type last_pid;
unsigned long pid_max = 32768, threads_max;
static bool wrapped;

void process_init(void)
{
	mutex_init(&tree_lock, "process tree", RANK_PROCESS);
	threads_max = frame_managed() / (KERNEL_STACK_PAGES * STACKS_SHARE);
	if (threads_max < THREADS_MIN)
		threads_max = THREADS_MIN;
	for (size_t i = 0; i < HASH_SIZE; i++) {
		list_init(&hash[i]);
		list_init(&thread_hash[i]);
	}
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

struct thread *thread_find(pid_type tid)
{
	struct list *bucket = &thread_hash[(uint32_t)tid % HASH_SIZE];
	list_for_each(l, bucket) {
		struct thread *t = container_of(l, struct thread, hash);
		if (t->tid == tid)
			return t;
	}
	return NULL;
}

struct process *process_of(pid_type tid)
{
	struct thread *t = thread_find(tid);
	return t ? t->process : process_find(tid);
}

size_t process_count(void)
{
	return __atomic_load_n(&tasks, __ATOMIC_RELAXED);
}

size_t process_count_of(uint32_t uid)
{
	size_t n = 0;
	list_for_each(l, &process_list) {
		const struct process *p = container_of(l, struct process, all);
		if (p->uid == uid)
			n += p->nthreads + !thread_find(p->pid);
	}
	return n;
}

pid_type process_last_pid(void)
{
	return last_pid;
}

static bool number_in_use(pid_type n)
{
	if (thread_find(n))
		return true;
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
	const pid_type most = (pid_type)__atomic_load_n(&pid_max, __ATOMIC_RELAXED);
	for (pid_type tries = 0; tries < most; tries++) {
		if (++last_pid >= most) {
			last_pid = PID_AFTER_WRAP;
			wrapped = true;
		}
		if (!wrapped || !number_in_use(last_pid))
			return last_pid;
	}
	return 0;
}

/* The number that is wanted, or any: or -EEXIST, -EAGAIN. */
static pid_type choose_number(pid_type wanted)
{
	if (wanted) {
		wrapped = true;			/* from now on any number may be in use */
		return number_in_use(wanted) ? -EEXIST : wanted;
	}
	pid_type n = new_pid();
	return n ? n : -EAGAIN;
}

static void add_thread(struct process *p, struct thread *t, pid_type tid)
{
	t->tid = tid;
	list_push(&thread_hash[(uint32_t)tid % HASH_SIZE], &t->hash);
	list_append(&p->threads, &t->siblings);
	p->nthreads++;
}

static void count_tasks(long change)
{
	__atomic_fetch_add(&tasks, (size_t)change, __ATOMIC_RELAXED);
}

int process_insert(struct process *p, struct thread *t, pid_type wanted)
{
	pid_type number = choose_number(wanted);
	if (number < 0)
		return number;
	p->pid = number;
	struct list *before = process_list.prev;
	while (before != &process_list && container_of(before, struct process, all)->pid > p->pid)
		before = before->prev;
	list_insert_between(&p->all, before, before->next);
	list_push(&hash[(uint32_t)p->pid % HASH_SIZE], &p->hash);
	add_thread(p, t, p->pid);
	count_tasks(1);
	return 0;
}

void process_remove(struct process *p)
{
	list_remove(&p->all);
	list_remove(&p->hash);
	list_remove(&p->sibling);
	count_tasks(-1);
}

int thread_insert(struct process *p, struct thread *t, pid_type wanted)
{
	pid_type tid = choose_number(wanted);
	if (tid < 0)
		return tid;
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	bool ends = thread_work(current_thread(), WORK_EXIT) || p->exiting;
	if (!ends) {
		add_thread(p, t, tid);
		if (p->stopping)
			thread_work_add(t, WORK_SIGNAL);
	}
	spin_unlock_irq(&p->signal_lock, irq);
	if (ends)
		return -EINTR;
	count_tasks(1);
	return 0;
}

void thread_remove(struct process *p, struct thread *t)
{
	assert(spin_held(&p->signal_lock));
	list_remove(&t->siblings);
	list_remove(&t->hash);
	p->nthreads--;
	sched_count_time();			/* it is the current thread */
	cpu_time_add(&p->dead_time, t->time);
	counts_add(&p->dead_counts, &t->counts);
	stats_add(&p->dead_faults, &t->faults);
	if (t->tid != p->pid)
		count_tasks(-1);
}

void thread_become_leader(struct process *p, struct thread *t)
{
	assert(p->nthreads == 1 && t->tid != p->pid);
	list_remove(&t->hash);
	t->tid = p->pid;
	if (t->trace)
		t->trace->tid = t->tid;
	list_push(&thread_hash[(uint32_t)t->tid % HASH_SIZE], &t->hash);
	count_tasks(-1);
}

struct process *process_create(struct thread **thread)
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
	list_init(&p->tracees);
	waitq_init(&p->child_event);
	waitq_init(&p->alone);
	signal_init_process(p);
	mutex_init(&p->timers_lock, "timers", RANK_FILES + 1);
	list_init(&p->cpu_timers);
	itimer_init(p);
	t->process = p;
	*thread = t;
	return p;
}

void process_free(struct process *p)
{
	signal_actions_put(p->actions ? signal_actions_of(p) : NULL);
	kfree(p);
}

struct fault_stats process_faults(struct process *p)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	struct fault_stats sum = p->dead_faults;
	list_for_each(l, &p->threads)
		stats_add(&sum, &container_of(l, struct thread, siblings)->faults);
	spin_unlock_irq(&p->signal_lock, irq);
	return sum;
}

void counts_add(struct counts *to, const struct counts *n)
{
	to->voluntary += n->voluntary;
	to->involuntary += n->involuntary;
	to->bytes_read += n->bytes_read;
	to->bytes_written += n->bytes_written;
	to->reads += n->reads;
	to->writes += n->writes;
}

struct counts process_counts(struct process *p)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	struct counts sum = p->dead_counts;
	list_for_each(l, &p->threads)
		counts_add(&sum, &container_of(l, struct thread, siblings)->counts);
	spin_unlock_irq(&p->signal_lock, irq);
	return sum;
}

void process_drop_files(struct process *p)
{
	fs_context_unshare(&p->fs);
	mutex_lock(&tree_lock);			/* /proc looks at them */
	struct file_table *files = p->files;
	struct fs_context fs = p->fs;
	struct vnode *exe = p->exe;
	p->files = NULL;
	p->exe = NULL;
	p->fs.root = p->fs.cwd = NULL;
	p->fs.groups = NULL;
	mutex_unlock(&tree_lock);

	if (files)
		files_put(files);
	if (fs.root)
		fs_context_drop(&fs);
	process_put_program(exe);
}

bool process_group_exists(pid_type group)
{
	list_for_each(l, &process_list)
		if (container_of(l, struct process, all)->pgid == group)
			return true;
	return false;
}

void process_put_program(struct vnode *exe)
{
	if (!exe)
		return;
	vnode_end_run(exe);
	mount_unuse(exe->mount);
	vnode_put(exe);
}
