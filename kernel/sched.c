/*
 * kernel/sched.c - who runs: round robin, sleeping and waking, time slices.
 *
 * A thread is running, ready (in the run queue), waiting (in no queue of the scheduler; a wait queue or a deadline knows it), or
 * dead.  A thread leaves the processor in switch_away only, and comes back in finish_switch.  The kernel is not preempted: the tick
 * marks the slice as over, and the switch happens on the way to user mode (kernel_user_return) or at a sleep.
 *
 * A wake cannot get lost: the waker marks the waiter as woken before it looks at the thread's state, and the sleeper looks at the mark
 * under the run queue's lock before it changes its state.
 *
 * The address space follows lazily: a thread without one (idle, kernel threads) runs on whichever was there before.  Who gives up a
 * space leaves it first (process_exit, process_exec), so the space that is active is always alive.
 *
 * Locks: wait queue (RANK_WAITQ) → run queue (RANK_RUNQUEUE), both with interrupts off.
 */
#include "kernel/sched.h"
#include "arch/mmu.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "arch/uaccess.h"
#include "fs/fat.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/kspace.h"

enum { SLICE_TICKS = 3 };
#define NEVER (~(uint64_t)0)

static struct spinlock run_lock = SPINLOCK_INIT("run queue", RANK_RUNQUEUE);
static struct list ready = LIST_INIT(ready);		/* run_lock */
static struct list sleepers = LIST_INIT(sleepers);	/* by deadline; run_lock */
static struct thread idle_thread;			/* on the boot stack */
static struct thread *dead;				/* left the processor for good; run_lock */
static struct mmu *active;				/* what the processor runs on; NULL: the kernel's alone */
struct sched_stats sched_stats;

void sched_init(void)
{
	list_init(&idle_thread.run);
	list_init(&idle_thread.timer);
	idle_thread.state = THREAD_RUNNING;
	cpu_set_current(&idle_thread);
}

/* The rest of a switch, in the thread that comes: run_lock is held, interrupts are off. */
static void finish_switch(void)
{
	struct thread *gone = dead;
	dead = NULL;
	spin_unlock(&run_lock);
	if (gone) {
		arch_thread_destroy(&gone->arch);
		kstack_free(gone->stack);
		kfree(gone);
	}
}

static void run_on(struct mmu *mmu)
{
	if (mmu != active) {
		active = mmu;
		mmu_activate(mmu);
	}
}

void sched_use_space(struct space *space)
{
	unsigned long irq = cpu_irq_save();
	run_on(space ? &space->mmu : NULL);
	cpu_irq_restore(irq);
}

/* Runs the next thread.  run_lock is held, interrupts are off, and the current thread is where it belongs; returns with the lock dropped. */
static void switch_away(void)
{
	struct thread *from = current_thread();
	struct list *next = list_pop(&ready);
	struct thread *to = next ? container_of(next, struct thread, run) : &idle_thread;

	to->state = THREAD_RUNNING;
	to->slice = SLICE_TICKS;
	thread_work_done(to, WORK_RESCHEDULE);
	if (to != from) {
		sched_stats.switches++;
		if (to->process && to->process->space)
			run_on(&to->process->space->mmu);
		lock_check_drop(&run_lock);			/* the lock goes to the other thread */
		cpu_set_current(to);
		arch_switch(&from->arch, &to->arch);
		lock_check_take(&run_lock, run_lock.name, run_lock.rank, LOCK_SPINS);
	}
	finish_switch();
}

void kernel_thread_begin(void)
{
	struct thread *t = current_thread();
	lock_check_take(&run_lock, run_lock.name, run_lock.rank, LOCK_SPINS);
	finish_switch();
	if (t->set_child_tid) {
		cpu_irq_enable();
		user_copy_out(t->set_child_tid, &t->tid, sizeof t->tid);	/* as on Linux, a bad address is the program's loss */
		t->set_child_tid = 0;
		cpu_irq_disable();
	}
}

/* run_lock held. */
static void make_ready(struct thread *t)
{
	if (t->state != THREAD_WAITING)
		return;
	t->state = THREAD_READY;
	list_append(&ready, &t->run);
	list_remove(&t->timer);
}

void sched_add(struct thread *t)
{
	unsigned long irq = spin_lock_irq(&run_lock);
	t->state = THREAD_WAITING;
	make_ready(t);
	spin_unlock_irq(&run_lock, irq);
}

void sched_yield(void)
{
	lock_check_may_sleep();
	unsigned long irq = spin_lock_irq(&run_lock);
	struct thread *t = current_thread();
	t->state = THREAD_READY;
	if (t != &idle_thread)
		list_append(&ready, &t->run);
	switch_away();
	cpu_irq_restore(irq);
}

void sched_exit(void)
{
	struct thread *t = current_thread();
	spin_lock_irq(&run_lock);
	assert(!dead);
	t->state = THREAD_DEAD;
	dead = t;
	switch_away();
	panic("a dead thread runs");
}

/* ---- waiting ------------------------------------------------------------------ */

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, "wait queue", RANK_WAITQ);
	list_init(&q->waiters);
}

void waiter_enter(struct waiter *w, struct waitq *q)
{
	w->woken = false;
	w->thread = current_thread();
	w->queue = q;
	list_append(&q->waiters, &w->link);
}

void waiter_add(struct waiter *w, struct waitq *q)
{
	unsigned long irq = spin_lock_irq(&q->lock);
	waiter_enter(w, q);
	spin_unlock_irq(&q->lock, irq);
}

void waiter_remove(struct waiter *w)
{
	struct waitq *q = __atomic_load_n(&w->queue, __ATOMIC_ACQUIRE);
	if (!q)
		return;				/* woken, or never added */
	unsigned long irq = spin_lock_irq(&q->lock);
	if (w->queue) {
		list_remove(&w->link);
		w->queue = NULL;
	}
	spin_unlock_irq(&q->lock, irq);
}

void waiter_wake(struct waiter *w)
{
	struct thread *t = w->thread;
	list_remove(&w->link);
	w->woken = true;
	spin_lock(&run_lock);
	make_ready(t);
	spin_unlock(&run_lock);
	__atomic_store_n(&w->queue, NULL, __ATOMIC_RELEASE);	/* last: from now on the waiter, and its thread, may be gone */
}

enum wake_how { WAKE_ONE, WAKE_ALL };

static void wake_some(struct waitq *q, enum wake_how how)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* the caller's condition is visible before we see nobody waiting */
	if (list_empty(&q->waiters))
		return;
	unsigned long irq = spin_lock_irq(&q->lock);
	while (!list_empty(&q->waiters)) {
		waiter_wake(container_of(q->waiters.next, struct waiter, link));
		if (how == WAKE_ONE)
			break;
	}
	spin_unlock_irq(&q->lock, irq);
}

void wake_all(struct waitq *q) { wake_some(q, WAKE_ALL); }
void wake_one(struct waitq *q) { wake_some(q, WAKE_ONE); }

/* run_lock held.  Sorted from the back: a later sleep mostly ends later. */
static void add_sleeper(struct thread *t, uint64_t deadline_ns)
{
	struct list *before = sleepers.prev;
	t->deadline_ns = deadline_ns;
	while (before != &sleepers && container_of(before, struct thread, timer)->deadline_ns > deadline_ns)
		before = before->prev;
	list_insert_between(&t->timer, before, before->next);
}

static bool interrupted(const struct thread *t, enum wait_how how)
{
	if (how == WAIT_UNINTERRUPTIBLE || !signal_pending(t))
		return false;
	return how == WAIT_INTERRUPTIBLE || signal_fatal_pending(t);
}

/* Why the sleep ends now: 0, -EINTR, -ETIMEDOUT; or 1: it does not. */
static int sleep_over(struct waiter *w, size_t n, enum wait_how how, uint64_t deadline_ns)
{
	for (size_t i = 0; i < n; i++)
		if (w[i].woken)
			return 0;
	if (interrupted(current_thread(), how))
		return -EINTR;
	if (deadline_ns != NEVER && time_now_ns() >= deadline_ns)
		return -ETIMEDOUT;
	return 1;
}

int waiters_sleep(struct waiter *w, size_t n, enum wait_how how, uint64_t deadline_ns)
{
	struct thread *t = current_thread();
	int result;
	lock_check_may_sleep();
	for (;;) {
		unsigned long irq = spin_lock_irq(&run_lock);
		result = sleep_over(w, n, how, deadline_ns);
		if (result <= 0) {
			spin_unlock_irq(&run_lock, irq);
			return result;
		}
		t->state = THREAD_WAITING;
		t->how = how;
		if (deadline_ns != NEVER)
			add_sleeper(t, deadline_ns);
		switch_away();
		cpu_irq_restore(irq);
	}
}

void wait_prepare(struct waitq *q)
{
	struct waiter *w = &current_thread()->waiter;
	if (w->queue == q)
		return;
	assert(!w->queue);
	waiter_add(w, q);
}

void wait_finish(struct waitq *q)
{
	struct waiter *w = &current_thread()->waiter;
	(void)q;
	assert(!w->queue || w->queue == q);
	waiter_remove(w);
}

int wait_sleep_until(struct waitq *q, enum wait_how how, uint64_t deadline_ns)
{
	(void)q;
	return waiters_sleep(&current_thread()->waiter, 1, how, deadline_ns);
}

int wait_sleep(struct waitq *q, enum wait_how how)
{
	return wait_sleep_until(q, how, NEVER);
}

void sched_sleep_until(uint64_t ns)
{
	waiters_sleep(NULL, 0, WAIT_UNINTERRUPTIBLE, ns);
}

int sched_sleep_interruptible(uint64_t until_ns)
{
	int r = waiters_sleep(NULL, 0, WAIT_INTERRUPTIBLE, until_ns);
	return r == -ETIMEDOUT ? 0 : r;
}

void sched_interrupt(struct thread *t)
{
	unsigned long irq = spin_lock_irq(&run_lock);
	if (t->how != WAIT_UNINTERRUPTIBLE)
		make_ready(t);
	spin_unlock_irq(&run_lock, irq);
}

/* A slow disk: others run meanwhile.  Now and then a tick passes; not each time, or nothing big could be tested with it. */
void pager_pause(void)
{
	static unsigned calls;
	if (++calls % 16)
		sched_yield();
	else
		sched_sleep_until(time_now_ns() + 1);
}

/* ---- the tick and the idle thread ------------------------------------------------- */

static void wake_sleepers(uint64_t now_ns)
{
	spin_lock(&run_lock);
	while (!list_empty(&sleepers)) {
		struct thread *t = container_of(sleepers.next, struct thread, timer);
		if (t->deadline_ns > now_ns)
			break;
		make_ready(t);
	}
	spin_unlock(&run_lock);
}

void kernel_tick(enum tick_mode mode)
{
	struct thread *t = current_thread();
	uint64_t now_ns = time_now_ns();

	time_arm(now_ns + 10000000);
	if (cpu_index() > 0)
		return;
	if (t == &idle_thread) {
		sched_stats.idle_ticks++;
	} else if (mode == TICK_USER) {
		sched_stats.user_ticks++;
		t->user_ticks++;
	} else {
		sched_stats.kernel_ticks++;
		t->kernel_ticks++;
	}
	wake_sleepers(now_ns);
	timers_tick(now_ns);
	if (--t->slice <= 0 && !list_empty(&ready))
		thread_work_add(t, WORK_RESCHEDULE);
}

bool sched_needed(void)
{
	return thread_work(current_thread(), WORK_RESCHEDULE);
}

bool kernel_work_pending(void)
{
	const struct thread *t = cpu_current();
	return __atomic_load_n(&t->work, __ATOMIC_RELAXED) != 0;
}

unsigned sched_runnable(void)
{
	unsigned long irq = spin_lock_irq(&run_lock);
	unsigned n = current_thread() != &idle_thread;
	list_for_each(l, &ready)
		n++;
	spin_unlock_irq(&run_lock, irq);
	return n;
}

void kernel_cpu_main(void)
{
	static struct thread idle[CPUS_MAX];

	cpu_set_current(&idle[cpu_index()]);
	mmu_rest();
	time_arm(0);
	for (;;)
		cpu_idle();
}

void sched_idle(void)
{
	for (;;) {
		cpu_irq_disable();
		if (list_empty(&ready)) {
			uint64_t from_ns = time_now_ns();
			cpu_idle();
			sched_stats.idle_ns += time_now_ns() - from_ns;
		}
		cpu_irq_enable();
		sched_yield();
	}
}

/* ---- threads ---------------------------------------------------------------------- */

void sched_set_affinity(struct thread *t, uint64_t mask)
{
	unsigned long irq = spin_lock_irq(&run_lock);
	t->affinity = mask;
	spin_unlock_irq(&run_lock, irq);
}

struct thread *thread_create(void)
{
	struct thread *t = kzalloc(sizeof *t);
	if (!t)
		return NULL;
	t->stack = kstack_alloc();
	if (!t->stack) {
		kfree(t);
		return NULL;
	}
	list_init(&t->run);
	list_init(&t->timer);
	list_init(&t->siblings);
	t->state = THREAD_WAITING;
	t->affinity = ~(uint64_t)0;
	return t;
}

void thread_free(struct thread *t)
{
	kstack_free(t->stack);
	kfree(t);
}

vaddr_t thread_stack_top(const struct thread *t)
{
	return (vaddr_t)t->stack + KERNEL_STACK_PAGES * PAGE_SIZE;
}

struct thread *kthread_create(void (*fn)(void *), void *arg)
{
	struct thread *t = thread_create();
	if (!t)
		return NULL;
	if (arch_thread_init(&t->arch, thread_stack_top(t)) != 0) {
		thread_free(t);
		return NULL;
	}
	arch_thread_start_in(&t->arch, fn, arg);
	sched_add(t);
	return t;
}
