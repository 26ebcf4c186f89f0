/*
 * kernel/trace.c - tracing: relations, stops, events.  See trace.h.
 */
#include "kernel/trace.h"
#include "arch/trace.h"
#include "kernel/clone.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { SYSGOOD_BIT = 0x80 };

void trace_init_thread(struct thread *t)
{
	waitq_init(&t->traced.queue);
}

static bool is_killed(const struct thread *t)
{
	return thread_work(t, WORK_EXIT) || process_killed(t->process);
}

/* ---- relations --------------------------------------------------------------------------- */

/* signal_lock is what those hold who look at it from outside. */
static void set_trace(struct thread *t, struct trace *trace)
{
	unsigned long irq = spin_lock_irq(&t->process->signal_lock);
	t->trace = trace;
	spin_unlock_irq(&t->process->signal_lock, irq);
}

int trace_attach(struct trace *trace, struct thread *t, struct process *tracer)
{
	if (t->trace)
		return -EPERM;
	trace->tracer = tracer;
	trace->thread = t;
	trace->tid = t->tid;
	list_append(&tracer->tracees, &trace->link);
	set_trace(t, trace);
	return 0;
}

void trace_resume(struct thread *t, enum trace_mode mode, int signal)
{
	unsigned long irq = spin_lock_irq(&t->process->signal_lock);
	if (t->trace)
		t->trace->mode = mode;
	t->traced.signal = signal;
	t->traced.listens = false;
	t->traced.steps = mode == TRACE_STEP;
	__atomic_store_n(&t->traced.stopped, false, __ATOMIC_RELEASE);
	spin_unlock_irq(&t->process->signal_lock, irq);
	wake_all(&t->traced.queue);
}

void trace_detach(struct thread *t, int signal)
{
	struct trace *trace = t->trace;
	set_trace(t, NULL);
	list_remove(&trace->link);
	kfree(trace);
	trace_resume(t, TRACE_CONTINUE, signal);
}

void trace_tracer_left(struct process *p)
{
	list_for_each_safe(l, &p->tracees) {
		struct trace *trace = container_of(l, struct trace, link);
		struct thread *t = trace->thread;
		if (!t) {
			list_remove(l);
			kfree(trace);
			continue;
		}
		bool dies = trace->options & TRACE_EXITKILL;
		trace_detach(t, 0);
		if (dies)
			signal_send_process(t->process, SIGKILL, NULL);
	}
}

/* ---- telling the tracer --------------------------------------------------------------------- */

static void tell(struct trace *trace, int code, int status)
{
	struct process *tracer = trace->tracer;
	const struct sigaction64 action = { .handler = tracer->actions[SIGCHLD - 1].handler, .flags = tracer->actions[SIGCHLD - 1].flags };
	if (action.handler != SIG_IGN && !(action.flags & SA_NOCLDSTOP)) {
		const struct siginfo info = { .code = code, .child = { .pid = trace->tid, .uid = trace->uid, .status = status } };
		signal_send_process(tracer, SIGCHLD, &info);
	}
	wake_all(&tracer->child_event);
}

void trace_thread_left(struct thread *t, int status)
{
	struct trace *trace = t->trace;
	struct process *p = t->process;
	if (!trace)
		return;
	set_trace(t, NULL);
	trace->thread = NULL;
	if (t->tid == p->pid && p->parent == trace->tracer) {		/* it learns of that as a parent */
		list_remove(&trace->link);
		kfree(trace);
		return;
	}
	trace->code = status;
	trace->pgid = p->pgid;
	trace->reported = false;
	tell(trace, exit_cause(status), status & 0x7f ? status & 0x7f : status >> 8);
}

/* ---- stopping -------------------------------------------------------------------------------- */

void trace_let_die(struct process *p)
{
	list_for_each(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, siblings);
		if (!t->traced.stopped)
			continue;
		__atomic_store_n(&t->traced.stopped, false, __ATOMIC_RELEASE);
		t->traced.listens = false;
		wake_all(&t->traced.queue);
	}
}

void trace_continued(struct process *p)
{
	list_for_each(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, siblings);
		t->traced.past_stop = false;
		if (!t->traced.stopped || !t->traced.listens)
			continue;
		if (t->trace)
			t->trace->interrupt = true;		/* it says that it goes on */
		t->traced.listens = false;
		t->traced.signal = 0;
		__atomic_store_n(&t->traced.stopped, false, __ATOMIC_RELEASE);
		wake_all(&t->traced.queue);
	}
}

/* tree_lock and signal_lock held: false, if the thread is to die first. */
static bool begin_stop(struct thread *t, int code, unsigned long message, const struct siginfo *info)
{
	struct trace *trace = t->trace;
	if (!trace || is_killed(t))
		return false;
	trace->code = code;
	trace->message = message;
	trace->reported = false;
	trace->has_info = info != NULL;
	if (info)
		trace->info = *info;
	t->traced.signal = 0;
	t->traced.stopped = true;
	return true;
}

/* The current thread stops until it is resumed: the signal that it is to take then, or 0. */
static int stop(int code, unsigned long message, const struct siginfo *info)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	mutex_lock(&tree_lock);
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	bool stops = begin_stop(t, code, message, info);
	spin_unlock_irq(&p->signal_lock, irq);
	if (stops) {
		t->trace->uid = p->uid;
		t->trace->pgid = p->pgid;
		tell(t->trace, CLD_TRAPPED, code & 0x7f);
	}
	mutex_unlock(&tree_lock);
	if (!stops)
		return 0;
	frame_set_step(thread_frame(&t->arch), false);
	wait_prepare(&t->traced.queue);
	while (__atomic_load_n(&t->traced.stopped, __ATOMIC_ACQUIRE)) {
		wait_sleep(&t->traced.queue, WAIT_UNINTERRUPTIBLE);
		wait_prepare(&t->traced.queue);
	}
	wait_finish(&t->traced.queue);
	if (t->traced.steps)
		frame_set_step(thread_frame(&t->arch), true);
	thread_work_add(t, WORK_TRACED);
	return t->traced.signal;
}

int trace_signal(int signo, struct siginfo *info)
{
	struct thread *t = current_thread();
	struct siginfo told = *info;
	told.signo = signo;
	int wanted = stop(signo, 0, &told);
	mutex_lock(&tree_lock);
	if (t->trace && wanted == signo)
		*info = t->trace->info;			/* PTRACE_SETSIGINFO may have changed it */
	else if (wanted != signo)
		*info = (struct siginfo){ .signo = wanted, .code = SI_USER, .child = { .pid = t->trace ? t->trace->tracer->pid : 0 } };
	mutex_unlock(&tree_lock);
	info->signo = wanted;
	return wanted;
}

static bool is_seized(const struct thread *t) { return t->trace && t->trace->seized; }

static void event_stop(int signo)
{
	const struct siginfo info = { .signo = signo, .code = signo | EVENT_STOP << 8, .child = { .pid = current_thread()->tid, .uid = current->uid } };
	stop(signo | EVENT_STOP << 8, 0, &info);
}

void trace_group_stop(int signo)
{
	struct thread *t = current_thread();
	if (is_seized(t))
		event_stop(signo);
	else
		stop(signo, 0, NULL);
	unsigned long irq = spin_lock_irq(&t->process->signal_lock);
	t->traced.past_stop = t->process->stopping;
	spin_unlock_irq(&t->process->signal_lock, irq);
}

void trace_interrupted(void)
{
	struct thread *t = current_thread();
	mutex_lock(&tree_lock);
	bool wanted = t->trace && t->trace->interrupt;
	if (wanted)
		t->trace->interrupt = false;
	mutex_unlock(&tree_lock);
	if (wanted)
		event_stop(SIGTRAP);
}

/* ---- events ------------------------------------------------------------------------------------ */

/* Is it traced so that it stops for these?  A look without a lock: a tracer that comes or goes meanwhile is too late, or too early. */
static bool wants(const struct thread *t, unsigned options)
{
	const struct trace *trace = __atomic_load_n(&t->trace, __ATOMIC_RELAXED);
	return trace && (trace->options & options);
}

void trace_call(enum trace_call which)
{
	struct thread *t = current_thread();
	mutex_lock(&tree_lock);
	const struct trace *trace = t->trace;
	bool stops = trace && trace->mode == TRACE_SYSCALLS;
	int code = SIGTRAP | (trace && trace->options & TRACE_SYSGOOD ? SYSGOOD_BIT : 0);
	mutex_unlock(&tree_lock);
	if (!stops)
		return;
	const struct siginfo info = { .signo = SIGTRAP, .code = code, .child = { .pid = t->tid, .uid = t->process->uid } };
	int signo = stop(code, which, &info);
	if (signo)
		signal_send_thread(t, signo, NULL);
}

void trace_event(enum trace_event event, unsigned long message)
{
	struct thread *t = current_thread();
	if (!t->trace)
		return;
	mutex_lock(&tree_lock);
	bool stops = wants(t, 1u << event);
	mutex_unlock(&tree_lock);
	const struct siginfo info = { .signo = SIGTRAP, .code = SIGTRAP | (int)event << 8, .child = { .pid = t->tid, .uid = t->process->uid } };
	if (stops)
		stop(SIGTRAP | (int)event << 8, message, &info);
}

/* Who does not want the event, and has not seized the thread, gets a signal. */
void trace_exec(pid_type tid_before)
{
	struct thread *t = current_thread();
	if (!t->trace)
		return;
	mutex_lock(&tree_lock);
	bool event = wants(t, TRACE_EXEC), signal = t->trace && !event && !t->trace->seized;
	mutex_unlock(&tree_lock);
	if (event)
		trace_event(EVENT_EXEC, (unsigned long)tid_before);
	else if (signal)
		signal_send_thread(t, SIGTRAP, &(struct siginfo){ .code = SI_USER, .child = { .pid = t->tid, .uid = t->process->uid } });
}

int trace_prepare_child(const struct clone_args *args, struct trace **out, enum trace_event *event)
{
	const struct thread *t = current_thread();
	*out = NULL;
	*event = 0;
	if (!t->trace || (args->flags & CLONE_UNTRACED))
		return 0;
	enum trace_event kind = args->flags & CLONE_VFORK ? EVENT_VFORK : args->exit_signal == SIGCHLD ? EVENT_FORK : EVENT_CLONE;
	mutex_lock(&tree_lock);
	if (wants(t, 1u << kind))
		*event = kind;
	mutex_unlock(&tree_lock);
	if (!*event && !(args->flags & CLONE_PTRACE))
		return 0;
	*out = kzalloc(sizeof **out);
	return *out ? 0 : -ENOMEM;
}

void trace_add_child(struct trace *trace, struct thread *child)
{
	mutex_lock(&tree_lock);
	const struct trace *own = current_thread()->trace;
	if (!own) {				/* the tracer has gone */
		mutex_unlock(&tree_lock);
		kfree(trace);
		return;
	}
	trace->options = own->options;
	bool seized = trace->seized = trace->interrupt = own->seized;
	trace->uid = child->process->uid;
	trace_attach(trace, child, own->tracer);
	mutex_unlock(&tree_lock);
	thread_work_add(child, WORK_SIGNAL);
	if (!seized)				/* the record may be gone by now */
		signal_send_thread(child, SIGSTOP, NULL);
}

/* ---- waiting for them ---------------------------------------------------------------------------- */

static void describe(const struct trace *trace, unsigned options, struct wait_result *result)
{
	(void)options;
	memset(result, 0, sizeof *result);
	result->pid = trace->tid;
	result->uid = trace->uid;
	if (trace->thread) {
		result->status = trace->code << 8 | 0x7f;
		result->code = CLD_TRAPPED;
		process_usage(trace->thread->process, USAGE_SELF | USAGE_CHILDREN, &result->usage);
	} else {
		result->status = trace->code;
		result->code = exit_cause(trace->code);
	}
}

long trace_wait(struct process *tracer, bool (*matches)(const struct trace *, const void *), const void *context, unsigned options, struct wait_result *result)
{
	long found = -ECHILD;
	list_for_each_safe(l, &tracer->tracees) {
		struct trace *trace = container_of(l, struct trace, link);
		if (trace->thread)
			trace->pgid = trace->thread->process->pgid;
		if (!matches(trace, context))
			continue;
		found = 0;
		if (trace->reported || (trace->thread ? !trace->thread->traced.stopped : !(options & WAIT_EXITED)))
			continue;
		describe(trace, options, result);
		found = trace->tid;
		trace->reported = !(options & WAIT_KEEP);
		if (!trace->thread && trace->reported) {
			list_remove(l);
			kfree(trace);
		}
		break;
	}
	return found;
}
