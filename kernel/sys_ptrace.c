/*
 * kernel/sys_ptrace.c - ptrace(2): the requests of a tracer.
 *
 * All but those that begin a relation, and the few that stop or kill, are for a thread that has stopped for its tracer, and off its processor: then its registers lie in memory.
 */
#include "arch/trace.h"
#include "arch/uaccess.h"
#include "kernel/proc.h"
#include "kernel/remote.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "kernel/trace.h"
#include "lib/string.h"
#include "vm/heap.h"

enum request {
	TRACEME, PEEKTEXT, PEEKDATA, PEEKUSER, POKETEXT, POKEDATA, POKEUSER, CONT, KILL, SINGLESTEP, GETREGS = 12, SETREGS, GETFPREGS, SETFPREGS, ATTACH = 16, DETACH,
	SYSCALL_STOPS = 24, SETOPTIONS = 0x4200, GETEVENTMSG, GETSIGINFO, SETSIGINFO, GETREGSET, SETREGSET, SEIZE, INTERRUPT, LISTEN, GETSIGMASK = 0x420a, SETSIGMASK,
	GET_SYSCALL_INFO = 0x420e,
};
enum { SIGNAL_SET_BYTES = 8, USER_BYTES = 912, DEBUG_REGISTERS = 848 };

/* ---- beginning --------------------------------------------------------------------------------- */

static bool may_trace(const struct process *p)
{
	return p->pid != 1 && p->state == PROCESS_ALIVE && proc_may_inspect(p);
}

static long traceme(struct trace *trace)
{
	struct thread *t = current_thread();
	if (!current->parent)
		return -EPERM;
	return trace_attach(trace, t, current->parent);
}

/* One that has stopped with its process stops for the tracer now. */
static long attach(struct trace *trace, pid_type tid, unsigned options)
{
	struct thread *t = thread_find(tid);
	if (!t)
		return -ESRCH;
	struct process *p = t->process;
	if (p == current || !may_trace(p))
		return -EPERM;
	trace->options = options;
	trace->uid = p->uid;
	long error = trace_attach(trace, t, current);
	if (error)
		return error;
	if (!trace->seized)
		signal_send_thread(t, SIGSTOP, &(struct siginfo){ .code = SI_USER, .child = { .pid = current->pid, .uid = current->uid } });
	wake_all(&p->stop_event);
	return 0;
}

static long begin(enum request request, pid_type tid, unsigned long address, unsigned long data)
{
	if (request == SEIZE && (address || data & ~(unsigned long)TRACE_OPTIONS))
		return -EIO;
	struct trace *trace = kzalloc(sizeof *trace);
	if (!trace)
		return -ENOMEM;
	trace->seized = request == SEIZE;
	mutex_lock(&tree_lock);
	long error = request == TRACEME ? traceme(trace) : attach(trace, tid, (unsigned)data);
	mutex_unlock(&tree_lock);
	if (error)
		kfree(trace);
	return error;
}

/* ---- stopped threads ------------------------------------------------------------------------------ */

/* The thread of this number, which the current process traces; tree_lock held. */
static struct thread *tracee(pid_type tid)
{
	struct thread *t = thread_find(tid);
	return t && t->trace && t->trace->tracer == current ? t : NULL;
}

/* The same, stopped and off its processor; it stays so until it is resumed or killed. With the tree locked; NULL, and it is not. */
static struct thread *lock_stopped(pid_type tid)
{
	for (;;) {
		mutex_lock(&tree_lock);
		struct thread *t = tracee(tid);
		bool stopped = t && __atomic_load_n(&t->traced.stopped, __ATOMIC_ACQUIRE) && !t->traced.listens;
		if (stopped && sched_sleeps(t))
			return t;
		mutex_unlock(&tree_lock);
		if (!stopped)
			return NULL;
		sched_yield();			/* it is about to sleep */
	}
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static struct space *space_of(struct thread *t)
{
	return t->process->space ? space_ref(t->process->space) : NULL;
}

static long peek(struct space *s, vaddr_t at, vaddr_t to)
{
	unsigned long word;
	if (remote_copy(s, at, &word, sizeof word, REMOTE_PEEK) < sizeof word)
		return -EIO;
	return user_put(to, word);
}

static long poke(struct space *s, vaddr_t at, unsigned long word)
{
	return remote_copy(s, at, &word, sizeof word, REMOTE_POKE) < sizeof word ? -EIO : 0;
}

/* ---- registers: the tree is locked ------------------------------------------------------------------- */

/* A word of struct user: general registers, and debug registers, which are 0 and stay so. */
static long user_word(struct thread *t, size_t at, unsigned long *word, bool change)
{
	unsigned long all[32];
	size_t size = registers_size(REGISTERS_GENERAL);
	if (at % sizeof all[0] || at >= USER_BYTES)
		return -EIO;
	if (at >= size) {
		if (change)
			return at >= DEBUG_REGISTERS && *word == 0 ? 0 : -EIO;
		*word = 0;
		return 0;
	}
	registers_get(&t->arch, REGISTERS_GENERAL, all);
	if (!change) {
		*word = all[at / sizeof all[0]];
		return 0;
	}
	all[at / sizeof all[0]] = *word;
	return registers_put(&t->arch, REGISTERS_GENERAL, all, size);
}

/* Between the user's buffer, of which *n bytes count, and a set; *n: how many there were. */
static long register_set(struct thread *t, enum register_set set, vaddr_t at, size_t *n, bool change)
{
	size_t size = registers_size(set);
	if (!size)
		return -EINVAL;
	if (*n > size)
		*n = size;
	if (change && *n % sizeof(uint64_t))
		return -EINVAL;
	void *buffer = kzalloc(size);
	if (!buffer)
		return -ENOMEM;
	long error;
	if (change) {
		error = user_copy_in(buffer, at, *n) ? -EFAULT : registers_put(&t->arch, set, buffer, *n);
	} else {
		registers_get(&t->arch, set, buffer);
		error = user_copy_out(at, buffer, *n) ? -EFAULT : 0;
	}
	kfree(buffer);
	return error;
}

static long whole_set(struct thread *t, enum register_set set, vaddr_t at, bool change)
{
	size_t n = registers_size(set);
	return register_set(t, set, at, &n, change);
}

static long set_by_vector(struct thread *t, unsigned long set, vaddr_t vector, bool change)
{
	struct { uint64_t base, len; } v;
	if (user_get(v, vector))
		return -EFAULT;
	size_t n = v.len;
	long error = register_set(t, (enum register_set)set, v.base, &n, change);
	v.len = n;
	return error ? error : user_put(vector, v);
}

/* Linux's struct ptrace_syscall_info: how much of it there is depends on what the stop is. */
static long call_info(struct thread *t, size_t room, vaddr_t to)
{
	enum { NONE, ENTRY, EXIT, HEAD_BYTES = 24, ENTRY_BYTES = 80, EXIT_BYTES = 33 };
	const struct trace *trace = t->trace;
	struct call_state c;
	struct { uint8_t kind, pad[3]; uint32_t arch; uint64_t ip, sp; union { struct { uint64_t number, args[6]; } entry; struct { int64_t result; uint8_t is_error; } exit; }; } info;
	size_t n = HEAD_BYTES;
	registers_call(&t->arch, &c);
	memset(&info, 0, sizeof info);
	info.arch = c.arch;
	info.ip = c.ip;
	info.sp = c.sp;
	bool in_call = (trace->code & 0x7f) == SIGTRAP && trace->code >> 8 == 0 && trace->has_info && (trace->info.code & 0x7f) == SIGTRAP && trace->info.code > 0;
	if (in_call && trace->message == CALL_BEGINS) {
		info.kind = ENTRY;
		info.entry.number = c.number;
		memcpy(info.entry.args, c.args, sizeof c.args);
		n = ENTRY_BYTES;
	} else if (in_call && trace->message == CALL_ENDS) {
		info.kind = EXIT;
		info.exit.result = c.result;
		info.exit.is_error = c.result < 0 && c.result >= -4095;
		n = EXIT_BYTES;
	}
	return user_copy_out(to, &info, room < n ? room : n) ? -EFAULT : (long)n;
}

/* ---- the rest, for a thread that is stopped: the tree is locked ------------------------------------------- */

static long set_options(struct trace *trace, unsigned long options)
{
	if (options & ~(unsigned long)TRACE_OPTIONS)
		return -EINVAL;
	trace->options = (unsigned)options;
	return 0;
}

static long signal_mask(struct thread *t, size_t size, vaddr_t at, bool change)
{
	uint64_t set = t->restore_mask ? t->saved_mask : t->blocked;
	if (size != SIGNAL_SET_BYTES)
		return -EINVAL;
	if (!change)
		return user_put(at, set);
	if (user_get(set, at))
		return -EFAULT;
	set &= ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
	unsigned long irq = spin_lock_irq(&t->process->signal_lock);
	if (t->restore_mask)
		t->saved_mask = set;
	else
		t->blocked = set;
	spin_unlock_irq(&t->process->signal_lock, irq);
	return 0;
}

static long signal_info(struct trace *trace, vaddr_t at, bool change)
{
	struct siginfo info;
	if (!trace->has_info)
		return -EINVAL;
	if (!change)
		return user_put(at, trace->info);
	if (user_get(info, at))
		return -EFAULT;
	trace->info = info;
	return 0;
}

static long resume(struct thread *t, enum trace_mode mode, unsigned long signal)
{
	if (signal > SIGNALS)
		return -EIO;
	trace_resume(t, mode, (int)signal);
	return 0;
}

static long detach(struct thread *t, unsigned long signal)
{
	if (signal > SIGNALS)
		return -EIO;
	trace_detach(t, (int)signal);
	return 0;
}

static long listen(struct thread *t)
{
	if (!t->trace->seized || t->trace->code >> 8 != EVENT_STOP)
		return -EIO;
	unsigned long irq = spin_lock_irq(&t->process->signal_lock);
	bool goes_on = !t->process->stopping;		/* SIGCONT has come already */
	t->traced.listens = !goes_on;
	if (goes_on)
		t->trace->interrupt = true;
	spin_unlock_irq(&t->process->signal_lock, irq);
	if (goes_on)
		trace_resume(t, t->trace->mode, 0);
	return 0;
}

static long request_stopped(struct thread *t, enum request request, unsigned long address, unsigned long data)
{
	unsigned long word = data;
	long error;
	switch (request) {
	case PEEKUSER:
		error = user_word(t, address, &word, false);
		return error ? error : user_put(data, word);
	case POKEUSER:		return user_word(t, address, &word, true);
	case GETREGS:		return whole_set(t, REGISTERS_GENERAL, data, false);
	case SETREGS:		return whole_set(t, REGISTERS_GENERAL, data, true);
	case GETFPREGS:		return whole_set(t, REGISTERS_FLOAT, data, false);
	case SETFPREGS:		return whole_set(t, REGISTERS_FLOAT, data, true);
	case GETREGSET:		return set_by_vector(t, address, data, false);
	case SETREGSET:		return set_by_vector(t, address, data, true);
	case GET_SYSCALL_INFO:	return call_info(t, address, data);
	case SETOPTIONS:	return set_options(t->trace, data);
	case GETEVENTMSG:	return user_put(data, t->trace->message);
	case GETSIGINFO:	return signal_info(t->trace, data, false);
	case SETSIGINFO:	return signal_info(t->trace, data, true);
	case GETSIGMASK:	return signal_mask(t, address, data, false);
	case SETSIGMASK:	return signal_mask(t, address, data, true);
	case CONT:		return resume(t, TRACE_CONTINUE, data);
	case SYSCALL_STOPS:	return resume(t, TRACE_SYSCALLS, data);
	case SINGLESTEP:	return resume(t, TRACE_STEP, data);
	case DETACH:		return detach(t, data);
	case LISTEN:		return listen(t);
	default:		return -EIO;
	}
}

/* What a thread need not be stopped for; tree_lock held. */
static long request_running(struct thread *t, enum request request)
{
	if (request == KILL)
		return signal_send_process(t->process, SIGKILL, NULL);
	if (!t->trace->seized)
		return -EIO;
	unsigned long irq = spin_lock_irq(&t->process->signal_lock);
	t->trace->interrupt = true;
	signal_mark(t);
	spin_unlock_irq(&t->process->signal_lock, irq);
	wake_all(&t->process->stop_event);
	return 0;
}

/* ptrace(request, tid, address, data) */
long sys_ptrace(const unsigned long args[6])
{
	const enum request request = (enum request)args[0];
	pid_type tid = (pid_type)args[1];
	long result = -ESRCH;
	if (request == TRACEME || request == ATTACH || request == SEIZE)
		return begin(request, tid, args[2], args[3]);
	if (request == KILL || request == INTERRUPT) {
		mutex_lock(&tree_lock);
		struct thread *t = tracee(tid);
		result = t ? request_running(t, request) : -ESRCH;
		mutex_unlock(&tree_lock);
		return result;
	}
	struct thread *t = lock_stopped(tid);
	if (!t)
		return -ESRCH;
	bool of_memory = request == PEEKTEXT || request == PEEKDATA || request == POKETEXT || request == POKEDATA;
	struct space *s = of_memory ? space_of(t) : NULL;
	if (!of_memory)
		result = request_stopped(t, request, args[2], args[3]);
	mutex_unlock(&tree_lock);
	if (!s)
		return result;
	result = request == PEEKTEXT || request == PEEKDATA ? peek(s, args[2], args[3]) : poke(s, args[2], args[3]);
	space_put(s);
	return result;
}
