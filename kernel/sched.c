/*
 * kernel/sched.c - who runs where: a queue for each processor, round robin, sleeping and waking.
 *
 * A thread is running, ready (in a processor's queue), waiting (in no queue of the scheduler; a wait queue or a deadline knows it), or
 * dead.  A thread leaves the processor in switch_away only, and comes back in finish_switch, maybe on another one.  The kernel is not preempted: the tick
 * marks the slice as over, and the switch happens on the way to user mode (kernel_user_return) or at a sleep.
 *
 * thread->queue is the queue that a thread belongs to; that queue's lock guards its state.  It is held through a switch, and dropped by the thread that comes: who
 * finds a thread ready or waiting under it knows that the thread has left its stack.
 *
 * A wake cannot get lost: the waker marks the waiter as woken before it looks at the thread's state, and the sleeper looks at the mark
 * under the same queue's lock before it changes its state.  The thread that wakes goes to the processor where it ran last if that is idle, else to an idle one, else it queues up
 * where it was.  A processor that finds nothing to do takes from another's queue what may run here; one whose slice ends does so if nobody waits here, and queues its thread up behind it, so
 * that threads which are more than the processors all get the same.  So that no work lies in a queue while a processor sleeps that may do it, one shows that it is going to
 * (`idle_cpus`) before it looks at the queues for the last time, and who queues a thread looks at those afterwards.
 *
 * The address space follows lazily: a thread without one (idle, kernel threads) rests on whichever was there before.
 *
 * What a thread uses is counted in nanoseconds, at ticks (tick.c) and when it leaves; whether that was in user mode or in the kernel is what the last tick found.
 *
 * Locks: wait queue (RANK_WAITQ) → run queue (RANK_RUNQUEUE), both with interrupts off.  Two run queues: the second one by trylock only.
 */
#include "kernel/run_queue.h"
#include "arch/mmu.h"
#include "arch/time.h"
#include "arch/uaccess.h"
#include "fs/fat.h"
#include "vm/heap.h"
#include "vm/kspace.h"

struct run_queue queues[CPUS_MAX] CPU_LOCAL;
uint64_t idle_cpus CPU_LOCAL, online_cpus;

/* ---- which processor -------------------------------------------------------------------------------------------------------------- */

/* The queue that a thread belongs to, locked; interrupts are off. */
WARM struct run_queue *lock_queue_of(const struct thread *t)
{
	for (;;) {
		struct run_queue *q = __atomic_load_n(&t->queue, __ATOMIC_RELAXED);
		spin_lock(&q->lock);
		if (q == __atomic_load_n(&t->queue, __ATOMIC_RELAXED))
			return q;
		spin_unlock(&q->lock);
	}
}

static uint64_t allowed(const struct thread *t)
{
	return t->affinity & __atomic_load_n(&online_cpus, __ATOMIC_RELAXED);
}

/* An idle one of these is ours to wake: whoever asks next finds another. */
static bool take_idle(uint64_t which, unsigned *cpu)
{
	for (uint64_t among; (among = __atomic_load_n(&idle_cpus, __ATOMIC_SEQ_CST) & which); ) {
		*cpu = (unsigned)__builtin_ctzll(among);
		if (__atomic_fetch_and(&idle_cpus, ~cpu_bit(*cpu), __ATOMIC_SEQ_CST) & cpu_bit(*cpu))
			return true;
	}
	return false;
}

/* Where it ran last if that one is idle (it may be this one, interrupted), else where somebody is, else where it ran last. */
WARM struct run_queue *choose(const struct thread *t)
{
	uint64_t may = allowed(t), last = cpu_bit(t->queue->cpu);
	unsigned cpu;

	if (__builtin_expect(__atomic_load_n(&idle_cpus, __ATOMIC_SEQ_CST) & may, 0))
		if (take_idle(may & last, &cpu) || take_idle(may, &cpu))
			return &queues[cpu];
	return __builtin_expect(may & last, 1) ? t->queue : &queues[__builtin_ctzll(may)];
}

/* Its queue is locked: from now on it is ready, in no list yet, and belongs to the queue returned. */
WARM struct run_queue *claim(struct thread *t)
{
	struct run_queue *to = choose(t);

	t->state = THREAD_READY;
	list_remove(&t->timer);
	__atomic_store_n(&t->queue, to, __ATOMIC_RELAXED);
	return to;
}

/* ---- whose turn it is -------------------------------------------------------------------------------------------------------------- */

enum { WEIGHT_ONE = 1024, NICE_MIN = -20, WEIGHT_IDLE = 3 };

/* The share of a nice value against that of 0: each step is a quarter more or less, as on Linux. */
static unsigned weight(const struct sched_policy *p)
{
	static const unsigned weights[40] = {
		88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
		1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
	};
	return p->policy == SCHED_IDLE ? WEIGHT_IDLE : weights[p->nice - NICE_MIN];
}

/* A turn in ticks: what a weight gives of SLICE_TICKS, within bounds. */
static int turn_of(const struct thread *t)
{
	enum { MOST = 20 };
	unsigned ticks = t->priority ? SLICE_TICKS : weight(&t->sched) * SLICE_TICKS / WEIGHT_ONE;
	return ticks < 1 ? 1 : ticks > MOST ? MOST : (int)ticks;
}

static void take_policy(struct thread *t, struct sched_policy policy, int boost)
{
	t->sched = policy;
	t->boost = boost;
	t->priority = boost > policy.priority ? boost : policy.priority;
	t->turn = turn_of(t);
}

void sched_init_policy(struct thread *t, struct sched_policy policy)
{
	take_policy(t, policy, 0);
}

/* One whose share is less than a tick each turn saves it up, and lets others go first until it has one. */
static bool saves_up(struct thread *t)
{
	unsigned share = weight(&t->sched) * SLICE_TICKS;
	if (__builtin_expect(t->priority || share >= WEIGHT_ONE, 1))
		return false;
	t->credit += share;
	if (t->credit < WEIGHT_ONE)
		return true;
	t->credit -= WEIGHT_ONE;
	return false;
}

/* Real-time threads come before all others, by their priority. */
static inline void append(struct run_queue *q, struct thread *t)
{
	struct list *before = q->ready.prev;
	while (__builtin_expect(t->priority, 0) && before != &q->ready && container_of(before, struct thread, run)->priority < t->priority)
		before = before->prev;
	list_insert_between(&t->run, before, before->next);
	__atomic_store_n(&q->nready, q->nready + 1, __ATOMIC_SEQ_CST);
}

static void take_out(struct run_queue *q, struct thread *t)
{
	list_remove(&t->run);
	__atomic_store_n(&q->nready, q->nready - 1, __ATOMIC_RELAXED);
}

/* A thread that was claimed for queue `to` queues up there; q: the queue that is locked, and is unlocked here.  Whoever is to run it is told. */
WARM void queue_up(struct run_queue *q, struct thread *t, struct run_queue *to)
{
	while (__builtin_expect(q != to, 0)) {
		spin_unlock(&q->lock);
		q = to;
		spin_lock(&q->lock);
		if (!(allowed(t) & cpu_bit(q->cpu)))	/* that has changed meanwhile */
			to = claim(t);
	}
	unsigned cpu = q->cpu;
	uint64_t others = allowed(t) & ~cpu_bit(cpu);
	append(q, t);
	bool sleeps = q->running == &q->idle;
	if (__builtin_expect(t->priority > q->running->priority, 0) && !sleeps) {
		thread_work_add(q->running, WORK_RESCHEDULE);
		if (cpu != cpu_index())
			cpu_kick(cpu);
	}
	spin_unlock(&q->lock);			/* from now on it may run, end and be gone */
	if (!sleeps && (!(__atomic_load_n(&idle_cpus, __ATOMIC_SEQ_CST) & others) || !take_idle(others, &cpu)))
		return;				/* it is busy, as are all others: or one comes and takes it */
	if (cpu != cpu_index())
		cpu_kick(cpu);
}

void run_queue_wake(struct run_queue *q, struct thread *t)
{
	queue_up(q, t, claim(t));
}

/* ---- switching ------------------------------------------------------------------------------------------------------------------------ */

static bool may_run_here(const struct thread *t, const struct run_queue *q)
{
	return allowed(t) & cpu_bit(q->cpu);
}

/* The first in that queue, which is locked, that may run on this processor. */
struct thread *run_queue_first_for(const struct run_queue *from, const struct run_queue *q)
{
	list_for_each(l, &from->ready)
		if (may_run_here(container_of(l, struct thread, run), q))
			return container_of(l, struct thread, run);
	return NULL;
}

/* Takes a thread that may run here from another queue with at least so many in it; ours is locked. */
static struct thread *steal(struct run_queue *q, unsigned least)
{
	for (unsigned i = 1; i < cpu_count; i++) {
		struct run_queue *from = &queues[(q->cpu + i) % cpu_count];

		if (__atomic_load_n(&from->nready, __ATOMIC_SEQ_CST) < least || !spin_trylock(&from->lock))
			continue;
		struct thread *found = run_queue_first_for(from, q);
		if (found) {
			take_out(from, found);
			__atomic_store_n(&found->queue, q, __ATOMIC_RELAXED);
		}
		spin_unlock(&from->lock);
		if (found)
			return found;
	}
	return NULL;
}

/* The first in the queue, which is not empty; but after real-time threads have had their part of this period, one of the others. */
static struct thread *choose_ready(struct run_queue *q)
{
	struct thread *first = container_of(q->ready.next, struct thread, run), *last = container_of(q->ready.prev, struct thread, run);
	if (__builtin_expect(first->priority && q->realtime_ticks >= REALTIME_TICKS && !last->priority, 0)) {
		while (first->priority)
			first = container_of(first->run.next, struct thread, run);
		return first;
	}
	for (unsigned n = q->nready; n > 1 && saves_up(first); n--) {
		list_remove(&first->run);
		list_append(&q->ready, &first->run);
		first = container_of(q->ready.next, struct thread, run);
	}
	return first;
}

static struct thread *next_thread(struct run_queue *q)
{
	struct thread *t;

	if (q->nready > 0) {
		t = choose_ready(q);
		take_out(q, t);
	} else {
		t = steal(q, 1);
	}
	return t ? t : &q->idle;
}

static void see_to(struct thread *t)
{
	if (t->state == THREAD_READY) {
		struct run_queue *q = lock_queue_of(t);
		queue_up(q, t, claim(t));
		return;
	}
	kstack_free(t->stack);
	kfree(t);
}

/* The rest of a switch, in the thread that comes: its processor's queue is locked, interrupts are off. */
WARM void finish_switch(void)
{
	struct run_queue *q = here();
	struct thread *left = q->left;

	if (__builtin_expect(left != NULL, 0))
		q->left = NULL;
	spin_unlock(&q->lock);
	if (__builtin_expect(left != NULL, 0))
		see_to(left);
	if (__builtin_expect(__atomic_load_n(&cpus_stopping, __ATOMIC_ACQUIRE), 0))
		cpu_stand_still();
}

void sched_use_space(struct space *space)
{
	unsigned long irq = cpu_irq_save();
	mmu_activate(space ? &space->mmu : NULL);
	cpu_irq_restore(irq);
}

/* This thread had the processor until now.  The queue is locked. */
WARM void count_time(struct run_queue *q, struct thread *t)
{
	uint64_t now_ns = time_now_ns(), ns = now_ns - q->counted_ns;

	q->counted_ns = now_ns;
	if (t == &q->idle) {
		q->stats.idle_ns += ns;
	} else if (t->mode == TICK_USER) {
		q->stats.time.user_ns += ns;
		t->time.user_ns += ns;
	} else {
		q->stats.time.kernel_ns += ns;
		t->time.kernel_ns += ns;
	}
}

void sched_count_time(void)
{
	unsigned long irq = cpu_irq_save();
	struct run_queue *q = here();
	spin_lock(&q->lock);
	count_time(q, current_thread());
	spin_unlock_irq(&q->lock, irq);
}

/* Runs the next thread.  q, this processor's, is locked, interrupts are off, and the current thread is where it belongs; returns with the lock dropped. */
static void switch_away(struct run_queue *q)
{
	struct thread *from = current_thread(), *to = next_thread(q);

	to->state = THREAD_RUNNING;
	to->slice = to->turn;
	thread_work_done(to, WORK_RESCHEDULE);
	__atomic_store_n(&q->running, to, __ATOMIC_RELAXED);
	if (__builtin_expect(q->armed_ns > q->tick_ns, 0))
		run_queue_arm(q);
	if (to != from) {
		count_time(q, from);
		q->stats.switches++;
		if (from->rseq.at)
			thread_work_add(from, WORK_RSEQ);
		*(from->state == THREAD_READY ? &from->counts.involuntary : &from->counts.voluntary) += 1;
		if (to->process && to->process->space)
			mmu_activate(&to->process->space->mmu);
		else
			mmu_rest();
		lock_check_drop(&q->lock);			/* the lock goes to the other thread */
		cpu_set_current(to);
		arch_switch(&from->arch, &to->arch);
		q = here();
		lock_check_take(&q->lock, q->lock.name, q->lock.rank, LOCK_SPINS);
	}
	finish_switch();
}

void kernel_thread_begin(void)
{
	struct thread *t = current_thread();
	struct run_queue *q = here();
	lock_check_take(&q->lock, q->lock.name, q->lock.rank, LOCK_SPINS);
	finish_switch();
	if (t->set_child_tid) {
		cpu_irq_enable();
		user_copy_out(t->set_child_tid, &t->tid, sizeof t->tid);	/* as on Linux, a bad address is the program's loss */
		t->set_child_tid = 0;
		cpu_irq_disable();
	}
}

void sched_add(struct thread *t)
{
	unsigned long irq = cpu_irq_save();
	struct run_queue *q = lock_queue_of(t);
	queue_up(q, t, claim(t));
	cpu_irq_restore(irq);
}

void sched_yield(void)
{
	struct thread *t = current_thread(), *other = NULL;
	lock_check_may_sleep();
	unsigned long irq = cpu_irq_save();
	struct run_queue *q = here();
	spin_lock(&q->lock);
	t->state = THREAD_READY;
	if (t != &q->idle && may_run_here(t, q)) {
		if (q->nready == 0 && (other = steal(q, t->slice > 0 ? 2 : 1)))
			append(q, other);
		append(q, t);
	} else if (t != &q->idle) {
		q->left = t;
	}
	switch_away(q);
	cpu_irq_restore(irq);
}

void sched_exit(void)
{
	struct thread *t = current_thread();
	cpu_irq_disable();
	struct run_queue *q = here();
	spin_lock(&q->lock);
	assert(!q->left);
	t->state = THREAD_DEAD;
	q->left = t;
	switch_away(q);
	panic("a dead thread runs");
}

void sched_set_affinity(struct thread *t, uint64_t mask)
{
	unsigned long irq = cpu_irq_save();
	struct run_queue *q = lock_queue_of(t);
	t->affinity = mask;
	bool runs_wrongly = t->state == THREAD_RUNNING && !may_run_here(t, q);
	if (t->state == THREAD_READY && !list_empty(&t->run)) {
		take_out(q, t);
		queue_up(q, t, claim(t));		/* maybe there is a better place now */
	} else {
		spin_unlock(&q->lock);
	}
	if (runs_wrongly) {
		thread_work_add(t, WORK_RESCHEDULE);
		cpu_kick(q->cpu);
	}
	cpu_irq_restore(irq);
}

static void change_policy(struct thread *t, struct sched_policy policy, int boost)
{
	unsigned long irq = cpu_irq_save();
	struct run_queue *q = lock_queue_of(t);
	take_policy(t, policy, boost);
	if (t->state == THREAD_READY && !list_empty(&t->run)) {
		take_out(q, t);
		queue_up(q, t, claim(t));
	} else {
		if (t->state == THREAD_RUNNING) {		/* there may be one now whose turn comes first */
			thread_work_add(t, WORK_RESCHEDULE);
			if (q->cpu != cpu_index())
				cpu_kick(q->cpu);
		}
		spin_unlock(&q->lock);
	}
	cpu_irq_restore(irq);
}

bool sched_sleeps(const struct thread *t)
{
	unsigned long irq = cpu_irq_save();
	struct run_queue *q = lock_queue_of(t);
	bool sleeps = t->state == THREAD_WAITING;
	spin_unlock(&q->lock);
	cpu_irq_restore(irq);
	return sleeps;
}

void sched_set_policy(struct thread *t, struct sched_policy policy) { change_policy(t, policy, t->boost); }
void sched_boost(struct thread *t, int priority) { change_policy(t, t->sched, priority); }

unsigned sched_cpu_of(const struct thread *t)
{
	return __atomic_load_n(&t->queue, __ATOMIC_RELAXED)->cpu;
}

bool sched_is_running(const void *t)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (__atomic_load_n(&queues[i].running, __ATOMIC_RELAXED) == t)
			return true;
	return false;
}

/* ---- waiting ------------------------------------------------------------------ */

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, "wait queue", RANK_WAITQ);
	list_init(&q->waiters);
}

void waiter_enter(struct waiter *w, struct waitq *q)
{
	__atomic_store_n(&w->woken, false, __ATOMIC_RELAXED);
	w->thread = current_thread();
	w->queue = q;
	list_append(&q->waiters, &w->link);
}

void waiter_add(struct waiter *w, struct waitq *q)
{
	unsigned long irq = spin_lock_irq(&q->lock);
	waiter_enter(w, q);
	spin_unlock_irq(&q->lock, irq);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* it is in the queue before the condition is looked at: wake_some does the reverse */
}

static __attribute__((noinline)) void take_from(struct waiter *w, struct waitq *q)
{
	unsigned long irq = spin_lock_irq(&q->lock);
	if (w->queue) {
		list_remove(&w->link);
		w->queue = NULL;
	}
	spin_unlock_irq(&q->lock, irq);
}

void waiter_remove(struct waiter *w)
{
	struct waitq *q = __atomic_load_n(&w->queue, __ATOMIC_ACQUIRE);
	if (__builtin_expect(q != NULL, 0))		/* else woken, or never added */
		take_from(w, q);
}

/* If it waits, and if not only for what cannot be interrupted.  Interrupts are off.  A thread that runs on another processor is made to look at its work. */
enum why { WOKEN, SIGNALLED };

WARM void make_ready(struct thread *t, enum why why)
{
	struct run_queue *q = lock_queue_of(t);
	bool runs = t->state == THREAD_RUNNING && t != current_thread();

	if (t->state == THREAD_WAITING && (why == WOKEN || t->how != WAIT_UNINTERRUPTIBLE)) {
		queue_up(q, t, claim(t));
		return;
	}
	spin_unlock(&q->lock);
	if (why == SIGNALLED && runs)
		cpu_kick(q->cpu);
}

void sched_interrupt(struct thread *t)
{
	unsigned long irq = cpu_irq_save();
	make_ready(t, SIGNALLED);
	cpu_irq_restore(irq);
}

WARM void take_and_wake(struct waiter *w)
{
	struct thread *t = w->thread;
	list_remove(&w->link);
	__atomic_store_n(&w->woken, true, __ATOMIC_RELEASE);	/* and before all that comes after a lock is taken */
	make_ready(t, WOKEN);
	__atomic_store_n(&w->queue, NULL, __ATOMIC_RELEASE);	/* last: from now on the waiter, and its thread, may be gone */
}

void waiter_wake(struct waiter *w)
{
	take_and_wake(w);
}

WARM bool tell_or_wake(struct waiter *w, unsigned events)
{
	if (w->told)
		return w->told(w, events);
	take_and_wake(w);
	return true;
}

bool waiters_wake(struct waitq *q, unsigned events)
{
	bool served = false, used = false;		/* one of the exclusive ones; anybody */

	list_for_each_safe(l, &q->waiters) {
		struct waiter *w = container_of(l, struct waiter, link);
		bool exclusive = w->exclusive;
		if ((w->want && !(w->want & events)) || (exclusive && served))
			continue;
		bool use = tell_or_wake(w, events);
		served |= exclusive && use;
		used |= use;
	}
	return used;
}

void file_wake(struct waitq *q, unsigned events)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* the caller's condition is visible before we see nobody waiting */
	if (list_empty(&q->waiters))
		return;
	unsigned long irq = spin_lock_irq(&q->lock);
	waiters_wake(q, events);
	spin_unlock_irq(&q->lock, irq);
}

void wake_all(struct waitq *q)
{
	file_wake(q, ~0u);
}

/* Of threads that wait for the same. */
void wake_one(struct waitq *q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (list_empty(&q->waiters))
		return;
	unsigned long irq = spin_lock_irq(&q->lock);
	if (!list_empty(&q->waiters))
		waiter_wake(container_of(q->waiters.next, struct waiter, link));
	spin_unlock_irq(&q->lock, irq);
}

/* q->lock held.  Sorted from the back: a later sleep mostly ends later. */
static void add_sleeper(struct run_queue *q, struct thread *t, uint64_t deadline_ns)
{
	struct list *before = q->sleepers.prev;
	t->deadline_ns = deadline_ns;
	while (before != &q->sleepers && container_of(before, struct thread, timer)->deadline_ns > deadline_ns)
		before = before->prev;
	list_insert_between(&t->timer, before, before->next);
}

static bool interrupted(const struct thread *t, enum wait_how how)
{
	if (how == WAIT_UNINTERRUPTIBLE || !signal_pending(t))
		return false;
	return how == WAIT_INTERRUPTIBLE || signal_fatal_pending(t);
}

static bool woken(const struct waiter *w, size_t n)
{
	for (const struct waiter *end = w + n; w < end; w++)
		if (__atomic_load_n(&w->woken, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

/* Why the sleep ends now: 0, -EINTR, -ETIMEDOUT; or 1: it does not. */
static int sleep_over(struct waiter *w, size_t n, enum wait_how how, uint64_t deadline_ns)
{
	if (woken(w, n))
		return 0;
	if (interrupted(current_thread(), how))
		return -EINTR;
	if (deadline_ns != TIME_NEVER && time_now_ns() >= deadline_ns)
		return -ETIMEDOUT;
	return 1;
}

int waiters_sleep(struct waiter *w, size_t n, enum wait_how how, uint64_t deadline_ns)
{
	struct thread *t = current_thread();
	int result;
	lock_check_may_sleep();
	for (;;) {
		unsigned long irq = cpu_irq_save();
		struct run_queue *q = here();
		spin_lock(&q->lock);
		result = sleep_over(w, n, how, deadline_ns);
		if (result <= 0) {
			spin_unlock_irq(&q->lock, irq);
			return result;
		}
		t->state = THREAD_WAITING;
		t->how = how;
		if (deadline_ns != TIME_NEVER) {
			add_sleeper(q, t, deadline_ns);
			run_queue_arm(q);
		}
		switch_away(q);
		cpu_irq_restore(irq);
		if (woken(w, n))
			return 0;
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
	return wait_sleep_until(q, how, TIME_NEVER);
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

/* A slow disk: others run meanwhile.  Now and then a tick passes; not each time, or nothing big could be tested with it. */
void pager_pause(void)
{
	static unsigned calls;			/* atomic */
	if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % 16)
		sched_yield();
	else
		sched_sleep_until(time_now_ns() + 1);
}
