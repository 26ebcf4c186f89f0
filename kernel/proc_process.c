/*
 * kernel/proc_process.c - the texts of /proc/PID, in the formats of Linux (proc(5)), which ps, top and others parse byte by byte.
 */
#include "kernel/clock.h"
#include "kernel/files.h"
#include "kernel/life.h"
#include "kernel/proc.h"
#include "kernel/sched.h"
#include "kernel/tty.h"
#include "lib/string.h"
#include "vm/frame.h"
#include "vm/report.h"

/* Of a leader that has exited, t is NULL.  The scheduler's words are looked at as they are. */
static char state_letter(const struct process *p, const struct thread *t)
{
	if (p->state == PROCESS_ZOMBIE || !t)
		return 'Z';
	if (t->traced.stopped)
		return 't';
	if (p->stopped || t->stopped)
		return 'T';
	if (t->state != THREAD_WAITING)
		return 'R';
	return t->how == WAIT_INTERRUPTIBLE ? 'S' : 'D';
}

/* A leader that has exited counts until its process ends. */
static unsigned count_threads(const struct process *p)
{
	return p->nthreads + !thread_find(p->pid);
}

static const char *name_of(const struct process *p, struct thread *t)
{
	return t ? thread_name(t) : p->name;
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R': return "running";
	case 'S': return "sleeping";
	case 'D': return "disk sleep";
	case 'T': return "stopped";
	case 't': return "tracing stop";
	default:  return "zombie";
	}
}

static uint64_t vsize_pages(const struct process *p) { return p->space ? p->space->mapped : 0; }
static uint64_t resident_pages(const struct process *p) { return p->space ? space_resident(p->space) : 0; }
static pid_type parent_pid(const struct process *p) { return p->parent ? p->parent->pid : 0; }

struct signal_sets { uint64_t pending, shared, blocked, ignored, caught; };

static struct signal_sets signal_sets(const struct process *p, const struct thread *t)
{
	struct signal_sets s = { .shared = p->signals.pending };
	if (t) {
		s.pending = t->signals.pending;
		s.blocked = t->blocked;
	}
	for (int signo = 1; signo <= SIGNALS; signo++) {
		uint64_t handler = p->actions[signo - 1].handler;
		if (handler == SIG_IGN)
			s.ignored |= signal_bit(signo);
		else if (handler != SIG_DFL)
			s.caught |= signal_bit(signo);
	}
	return s;
}

/* What is counted for a thread, or for all of a process. */
struct account { struct cpu_time time; struct fault_stats faults; };

static struct account account_of(const struct proc_node *n, struct process *p, const struct thread *t)
{
	if (!n->single)
		return (struct account){ process_time(p), process_faults(p) };
	return t ? (struct account){ thread_time(t), t->faults } : (struct account){ { 0, 0 }, { .neighbours = 0 } };
}

/* Linux's PF_ flags, as far as there are such here: it has not execed since it was forked, and has ever had more rights than others. */
static unsigned flags_of(const struct process *p)
{
	enum { PF_EXITING = 4, PF_FORKNOEXEC = 0x40, PF_RANDOMIZE = 0x400000 };
	return (p->exiting ? PF_EXITING : 0) | (p->executed ? 0 : PF_FORKNOEXEC) | PF_RANDOMIZE;
}

/* As ps shows it: 20 and the nice value, or below 0 with a real-time policy. */
static int priority_of(const struct thread *t)
{
	return !t ? 20 : t->sched.priority ? -1 - t->sched.priority : 20 + t->sched.nice;
}

static const struct program_layout nothing;

/* One line; the fields have the numbers that proc(5) gives them. */
static int make_stat(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	struct thread *thread;
	struct process *p = proc_lock_thread(n, &thread);
	(void)v;
	if (!p)
		return -ESRCH;
	const struct account a = account_of(n, p, thread);
	struct signal_sets s = signal_sets(p, thread);
	bool may_inspect = proc_may_inspect(p);
	struct space *m = may_inspect ? p->space : NULL;
	const struct program_layout *l = may_inspect ? &p->layout : &nothing;
	const unsigned long low = 0x7fffffff;
	int nice = thread ? thread->sched.nice : 0;
	char state = state_letter(p, thread);

	text_print(t, "%d (%s) %c %d %d %d %d %d %u ", n->tid, name_of(p, thread), state, parent_pid(p), p->pgid, p->sid,	/* 1 to 9 */
		(int)tty_device(p->tty), p->tty ? p->tty->foreground : -1, flags_of(p));
	text_print(t, "%lu %lu %lu %lu ", (unsigned long)stats_minor(&a.faults), (unsigned long)stats_minor(&p->child_faults),	/* 10 to 13 */
		(unsigned long)stats_major(&a.faults), (unsigned long)stats_major(&p->child_faults));
	text_print(t, "%lu %lu %lu %lu %d %d %u 0 %lu ", (unsigned long)(a.time.user_ns / NS_PER_TICK), (unsigned long)(a.time.kernel_ns / NS_PER_TICK),	/* 14 to 22 */
		(unsigned long)(p->child_time.user_ns / NS_PER_TICK), (unsigned long)(p->child_time.kernel_ns / NS_PER_TICK), priority_of(thread), nice,
		count_threads(p), (unsigned long)((thread ? thread->start_ns : p->start_ns) / NS_PER_TICK));
	text_print(t, "%lu %lu %lu %lu %lu %lu 0 0 ", (unsigned long)vsize_pages(p) * PAGE_SIZE, (unsigned long)resident_pages(p),	/* 23 to 30 */
		(unsigned long)p->limits[LIMIT_RSS].cur, l->code_start, l->code_end, l->stack_start);
	text_print(t, "%lu %lu %lu %lu %d 0 0 %d %u %d %d 0 0 0 ", (unsigned long)(n->single ? s.pending : s.shared) & low, (unsigned long)s.blocked & low,	/* 31 to 44 */
		(unsigned long)s.ignored & low, (unsigned long)s.caught & low, state == 'S' || state == 'D' || state == 'T' || state == 't', n->tid == n->pid ? p->exit_signal : -1,
		thread ? sched_cpu_of(thread) : 0, thread ? thread->sched.priority : 0, thread ? thread->sched.policy : 0);
	text_print(t, "%lu %lu %lu %lu %lu %lu %lu %d\n", l->data_start, l->data_end, m ? (unsigned long)m->brk_start : 0,	/* 45 to 52 */
		m ? (unsigned long)m->arg_start : 0, m ? (unsigned long)m->arg_end : 0, m ? (unsigned long)m->env_start : 0, m ? (unsigned long)m->env_end : 0,
		may_inspect ? p->exit_status : 0);
	proc_unlock_process();
	return 0;
}

static void print_memory(struct text *t, const struct process *p)
{
	struct space *m = p->space;
	const struct program_layout *l = &p->layout;
	unsigned long size = KB(vsize_pages(p)), resident = KB(resident_pages(p)), peak = KB(m->peak_resident);
	size_t all = 0, anonymous = 0, shared = 0, stack = 0, code = (page_ceil(l->code_end) - page_floor(l->code_start)) >> PAGE_SHIFT, executable = 0;
	struct region_info r;
	if (peak < resident)
		peak = resident;
	for (vaddr_t at = 0; vm_region_info(m, at, &r); at = r.end) {
		size_t n = (r.end - r.start) >> PAGE_SHIFT;
		all += r.resident;
		anonymous += r.anonymous;
		shared += r.shmem;
		stack += r.flags & REGION_GROWSDOWN ? n : 0;
		executable += (r.rights & (VM_EXEC | VM_WRITE)) == VM_EXEC ? n : 0;
	}
	if (code > executable)
		code = executable;
	text_print(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8lu kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n",
		KB(m->peak_mapped), size, KB(m->locked), 0ul, peak, resident);
	text_print(t, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n", KB(anonymous), KB(all - anonymous - shared), KB(shared));
	text_print(t, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\nHugetlbPages:\t%8lu kB\n",
		KB(m->data), KB(stack), KB(code), KB(executable - code), KB(space_tables(m)), 0ul, 0ul);
	text_print(t, "CoreDumping:\t0\nTHP_enabled:\t%d\n", !m->no_huge);
}

static void print_ids(struct text *t, struct process *p, pid_type tid)
{
	const struct thread *thread = thread_find(tid);
	text_print(t, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n", p->pid, tid, parent_pid(p),
		thread && thread->trace ? thread->trace->tracer->pid : 0);
	text_print(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", p->uid, p->euid, p->suid, p->fs.uid, p->gid, p->egid, p->sgid, p->fs.gid);
	text_print(t, "FDSize:\t%d\nGroups:\t", p->files ? files_size(p->files) : 0);
	struct group_list *groups = fs_context_groups(&p->fs);
	for (size_t i = 0; groups && i < groups->n; i++)
		text_print(t, "%u ", groups->id[i]);
	group_list_put(groups);
	text_print(t, " \nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", p->pid, tid, p->pgid, p->sid);
}

/* Processors, as a mask and as a list. */
static void print_affinity(struct text *t, uint64_t mask)
{
	const char *comma = "";
	text_print(t, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", (unsigned long)mask);
	for (unsigned first = 0; first < cpu_count; first++) {
		if (!(mask >> first & 1))
			continue;
		unsigned last = first;
		while (last + 1 < cpu_count && (mask >> (last + 1) & 1))
			last++;
		text_print(t, first == last ? "%s%u" : "%s%u-%u", comma, first, last);
		comma = ",";
		first = last;
	}
	text_print(t, "\n");
}

static int make_status(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	struct thread *thread;
	struct process *p = proc_lock_thread(n, &thread);
	(void)v;
	if (!p)
		return -ESRCH;
	struct signal_sets s = signal_sets(p, thread);
	char state = state_letter(p, thread);
	const struct capabilities *c = &p->capabilities;
	uint64_t online = ~(uint64_t)0 >> (64 - cpu_count);

	text_print(t, "Name:\t%s\nUmask:\t%04o\nState:\t%c (%s)\n", name_of(p, thread), p->fs.umask, state, state_name(state));
	print_ids(t, p, n->tid);
	if (p->space)
		print_memory(t, p);
	text_print(t, "Threads:\t%u\nSigQ:\t%u/%lu\n", count_threads(p), signal_queued(p->uid), (unsigned long)p->limits[LIMIT_SIGPENDING].cur);
	text_print(t, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", (unsigned long)s.pending,
		(unsigned long)s.shared, (unsigned long)s.blocked, (unsigned long)s.ignored, (unsigned long)s.caught);
	text_print(t, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n", (unsigned long)c->inheritable,
		(unsigned long)c->permitted, (unsigned long)c->effective, (unsigned long)c->bounding, (unsigned long)c->ambient);
	text_print(t, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n", p->no_new_privileges);
	print_affinity(t, (thread ? thread->affinity : ~(uint64_t)0) & online);
	struct counts switches = thread ? thread->counts : (struct counts){ .reads = 0 };
	text_print(t, "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
		(unsigned long)switches.voluntary, (unsigned long)switches.involuntary);
	proc_unlock_process();
	return 0;
}

static void print_limit(struct text *t, uint64_t value)
{
	if (value == LIMIT_NONE)
		text_print(t, "%-20s ", "unlimited");
	else
		text_print(t, "%-20lu ", (unsigned long)value);
}

static int make_limits(struct text *t, struct vnode *v, void *arg)
{
	static const struct { const char *name, *unit; } limits[LIMITS] = {
		{ "Max cpu time", "seconds" }, { "Max file size", "bytes" }, { "Max data size", "bytes" }, { "Max stack size", "bytes" },
		{ "Max core file size", "bytes" }, { "Max resident set", "bytes" }, { "Max processes", "processes" }, { "Max open files", "files" },
		{ "Max locked memory", "bytes" }, { "Max address space", "bytes" }, { "Max file locks", "locks" }, { "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" }, { "Max nice priority", "" }, { "Max realtime priority", "" }, { "Max realtime timeout", "us" },
	};
	struct process *p = proc_lock_process(arg);
	(void)v;
	if (!p)
		return -ESRCH;
	text_print(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < LIMITS; i++) {
		text_print(t, "%-25s ", limits[i].name);
		print_limit(t, p->limits[i].cur);
		print_limit(t, p->limits[i].max);
		text_print(t, limits[i].unit[0] ? "%-10s\n" : "\n", limits[i].unit);
	}
	proc_unlock_process();
	return 0;
}

static int make_comm(struct text *t, struct vnode *v, void *arg)
{
	struct thread *thread;
	struct process *p = proc_lock_thread(arg, &thread);
	(void)v;
	if (!p)
		return -ESRCH;
	text_print(t, "%s\n", name_of(p, thread));
	proc_unlock_process();
	return 0;
}

/* Only its own process may rename itself. */
static int take_comm(struct vnode *v, void *arg, char *string, size_t len)
{
	const struct proc_node *n = arg;
	(void)v;
	if (n->pid != current->pid)
		return -EINVAL;
	if (len && string[len - 1] == '\n')
		len--;
	if (len >= NAME_BYTES)
		len = NAME_BYTES - 1;
	struct thread *thread;
	struct process *p = proc_lock_thread(n, &thread);
	if (!p || !thread) {
		if (p)
			proc_unlock_process();
		return -ESRCH;
	}
	memset(thread_name(thread), 0, NAME_BYTES);
	memcpy(thread_name(thread), string, len);
	proc_unlock_process();
	return 0;
}

/* oom_adj is the same on a scale of -17 to 15, which older programs use. */
enum { OLD_SCALE = 17, OLD_HIGHEST = 15 };

static bool is_old_scale(const struct proc_node *n)
{
	return strcmp(n->entry->name, "oom_adj") == 0;
}

static int make_oom_score_adj(struct text *t, struct vnode *v, void *arg)
{
	struct process *p = proc_lock_process(arg);
	(void)v;
	if (!p)
		return -ESRCH;
	int adjust = p->oom_score_adj;
	text_print(t, "%d\n", !is_old_scale(arg) ? adjust : adjust == -OOM_NEVER ? OLD_HIGHEST : adjust * OLD_SCALE / -OOM_NEVER);
	proc_unlock_process();
	return 0;
}

int proc_parse_int(const char *s, long *value)
{
	long n = 0;
	while (*s == ' ' || *s == '\t' || *s == '\n')
		s++;
	bool negative = *s == '-';
	s += negative;
	if (*s < '0' || *s > '9')
		return -EINVAL;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (n > INT32_MAX / 10)
			return -EINVAL;
		n = n * 10 + (*s - '0');
	}
	while (*s == ' ' || *s == '\t' || *s == '\n')
		s++;
	*value = negative ? -n : n;
	return *s ? -EINVAL : 0;
}

static int take_oom_score_adj(struct vnode *v, void *arg, char *string, size_t len)
{
	enum { HIGHEST = 1000 };
	long value;
	int error = proc_parse_int(string, &value);
	(void)v, (void)len;
	if (!error && is_old_scale(arg))
		value = value < -OLD_SCALE || value > OLD_HIGHEST ? HIGHEST + 1 : value == OLD_HIGHEST ? HIGHEST : value * HIGHEST / OLD_SCALE;
	if (error || value < OOM_NEVER || value > HIGHEST)
		return -EINVAL;
	struct process *p = proc_lock_process(arg);
	if (!p)
		return -ESRCH;
	if (value < p->oom_score_adj && !capable(CAP_SYS_RESOURCE))
		error = -EACCES;
	else
		p->oom_score_adj = (int32_t)value;
	proc_unlock_process();
	return error;
}

/* What the OOM policy goes by, in Linux's scale: thousandths of all memory and the adjustment, from 1000 on, and two thirds of that. */
static int make_oom_score(struct text *t, struct vnode *v, void *arg)
{
	struct frame_stats frames;
	frame_get_stats(&frames);
	struct process *p = proc_lock_process(arg);
	(void)v;
	if (!p)
		return -ESRCH;
	long score = p->oom_score_adj == OOM_NEVER ? 0 : (1000 + oom_badness(p) * 1000 / (long)frames.managed) * 2 / 3;
	text_print(t, "%ld\n", score > 0 ? score : 0);
	proc_unlock_process();
	return 0;
}

static int make_faults(struct text *t, struct vnode *v, void *arg)
{
	struct thread *thread;
	struct process *p = proc_lock_thread(arg, &thread);
	(void)v;
	if (!p)
		return -ESRCH;
	struct fault_stats copy = account_of(arg, p, thread).faults;
	proc_unlock_process();
	proc_print_faults(t, &copy);
	return 0;
}

static int make_mounts(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	return proc_print_mounts(t);
}

static int make_mountinfo(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	return proc_print_mountinfo(t);
}

static int make_cgroup(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "0::/\n");
	return 0;
}

/* Nothing here is read from a device that the calls of a process wait for: what counts is what they move. */
static int make_io(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	struct thread *thread;
	struct process *p = proc_lock_thread(n, &thread);
	(void)v;
	if (!p)
		return -ESRCH;
	bool allowed = proc_may_inspect(p);
	struct counts c = !n->single ? process_counts(p) : thread ? thread->counts : (struct counts){ .reads = 0 };
	proc_unlock_process();
	if (!allowed)
		return -EACCES;
	text_print(t, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n", (unsigned long)c.bytes_read,
		(unsigned long)c.bytes_written, (unsigned long)c.reads, (unsigned long)c.writes);
	return 0;
}

static int make_personality(struct text *t, struct vnode *v, void *arg)
{
	struct process *p = proc_lock_process(arg);
	(void)v;
	if (!p)
		return -ESRCH;
	bool allowed = proc_may_inspect(p);
	if (allowed)
		text_print(t, "%08x\n", p->personality);
	proc_unlock_process();
	return allowed ? 0 : -EACCES;
}

static int make_wchan(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "0");
	return 0;
}

static const struct synth stat_text = { .make = make_stat }, status_text = { .make = make_status }, limits_text = { .make = make_limits },
	comm_text = { .make = make_comm, .take = take_comm }, oom_score_text = { .make = make_oom_score },
	oom_score_adj_text = { .make = make_oom_score_adj, .take = take_oom_score_adj }, faults_text = { .make = make_faults },
	mounts_text = { .make = make_mounts }, mountinfo_text = { .make = make_mountinfo }, cgroup_text = { .make = make_cgroup },
	wchan_text = { .make = make_wchan }, io_text = { .make = make_io }, personality_text = { .make = make_personality };

#define FILE(name_, mode_, text_)	{ .name = name_, .mode = S_IFREG | (mode_), .text = &(text_) }
#define LINK(name_, ops_)		{ .name = name_, .mode = S_IFLNK | 0777, .ops = &(ops_) }
#define PLACES(name_, mode_, ops_)	{ .name = name_, .mode = S_IFREG | (mode_), .ops = &(ops_) }
#define TABLE(name_, mode_, inside_)	{ .name = name_, .mode = S_IFDIR | (mode_), .inside = inside_ }
#define DIRECTORY(name_, mode_, ops_)	{ .name = name_, .mode = S_IFDIR | (mode_), .ops = &(ops_) }
#define ENTRIES_OF_BOTH \
	FILE("auxv", 0400, proc_auxv_text), FILE("cgroup", 0444, cgroup_text), FILE("cmdline", 0444, proc_cmdline_text), FILE("comm", 0644, comm_text), \
	LINK("cwd", proc_cwd_ops), FILE("environ", 0400, proc_environ_text), LINK("exe", proc_exe_ops), FILE("faults", 0444, faults_text), \
	DIRECTORY("fd", 0500, proc_fd_ops), DIRECTORY("fdinfo", 0555, proc_fdinfo_ops), FILE("io", 0400, io_text), FILE("limits", 0444, limits_text), \
	FILE("maps", 0444, proc_maps_text), PLACES("mem", 0600, proc_mem_ops), FILE("mountinfo", 0444, mountinfo_text), FILE("mounts", 0444, mounts_text), \
	TABLE("ns", 0511, proc_ns_entries), FILE("oom_adj", 0644, oom_score_adj_text), FILE("oom_score", 0444, oom_score_text), \
	FILE("oom_score_adj", 0644, oom_score_adj_text), PLACES("pagemap", 0400, proc_pagemap_ops), FILE("personality", 0400, personality_text), \
	LINK("root", proc_root_link_ops), FILE("smaps", 0444, proc_smaps_text), FILE("smaps_rollup", 0444, proc_smaps_rollup_text), \
	FILE("stat", 0444, stat_text), FILE("statm", 0444, proc_statm_text), FILE("status", 0444, status_text), FILE("wchan", 0444, wchan_text)

/* Namespaces: one of each kind, with the numbers of Linux's first ones. */
#define NAMESPACE(name_)		LINK(name_, proc_ns_ops)
static const struct proc_entry proc_ns_entries[] = {
	NAMESPACE("cgroup"), NAMESPACE("ipc"), NAMESPACE("mnt"), NAMESPACE("net"), NAMESPACE("pid"), NAMESPACE("pid_for_children"), NAMESPACE("time"),
	NAMESPACE("time_for_children"), NAMESPACE("user"), NAMESPACE("uts"), { .name = NULL }
};

const struct proc_entry proc_process_entries[] = { ENTRIES_OF_BOTH, DIRECTORY("task", 0555, proc_task_ops), { .name = NULL } };
const struct proc_entry proc_thread_entries[] = { ENTRIES_OF_BOTH, { .name = NULL } };
