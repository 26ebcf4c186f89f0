/*
 * kernel/idle.c - processors that have nothing to do, or are to do nothing: the idle threads, and all but one standing still.
 */
#include "kernel/run_queue.h"
#include "arch/time.h"

/* Is a thread queued anywhere that may run here?  A queue that is busy may have one.  Interrupts are off. */
static bool work_is_there(const struct run_queue *q)
{
	bool found = q->nready > 0;

	for (unsigned i = 0; i < cpu_count && !found; i++) {
		struct run_queue *from = &queues[i];
		if (from == q || __atomic_load_n(&from->nready, __ATOMIC_SEQ_CST) == 0)
			continue;
		found = !spin_trylock(&from->lock);
		if (found)
			break;
		found = run_queue_first_for(from, q) != NULL;
		spin_unlock(&from->lock);
	}
	return found;
}

void sched_idle(void)
{
	struct run_queue *q = here();

	for (;;) {
		cpu_irq_disable();
		__atomic_fetch_or(&idle_cpus, cpu_bit(q->cpu), __ATOMIC_SEQ_CST);
		if (!work_is_there(q) && !thread_work(&q->idle, WORK_RESCHEDULE))
			cpu_idle();
		__atomic_fetch_and(&idle_cpus, ~cpu_bit(q->cpu), __ATOMIC_SEQ_CST);
		cpu_irq_enable();
		sched_yield();
	}
}

/* The stack that it is called on becomes this processor's idle thread. */
static void begin(void)
{
	struct run_queue *q = &queues[cpu_index()];

	spin_init(&q->lock, "run queue", RANK_RUNQUEUE);
	list_init(&q->ready);
	list_init(&q->sleepers);
	list_init(&q->idle.run);
	list_init(&q->idle.timer);
	q->idle.state = THREAD_RUNNING;
	q->idle.queue = q;
	q->cpu = cpu_index();
	q->armed_ns = TIME_NEVER;
	q->counted_ns = time_now_ns();
	q->running = &q->idle;
	cpu_set_current(&q->idle);
	__atomic_fetch_or(&online_cpus, cpu_bit(cpu_index()), __ATOMIC_SEQ_CST);
}

void sched_init(void)
{
	begin();
}

void kernel_cpu_main(void)
{
	begin();
	cpu_irq_enable();
	sched_idle();
}

/* ---- all but one stand still ----------------------------------------------------------------- */

bool cpus_stopping;
static unsigned standing;			/* atomic */
static struct mutex stop_lock = { .rank = RANK_MOUNT - 1, .name = "machine stopped" };

/* At a switch: nothing here is halfway through a change that another processor could see, but what a sleeping thread may leave so. */
void cpu_stand_still(void)
{
	__atomic_fetch_add(&standing, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&cpus_stopping, __ATOMIC_ACQUIRE))
		spin_wait();
	__atomic_fetch_sub(&standing, 1, __ATOMIC_SEQ_CST);
}

void sched_stop_others(void)
{
	mutex_lock(&stop_lock);
	while (__atomic_load_n(&standing, __ATOMIC_SEQ_CST) > 0)
		spin_wait();			/* the last ones go on from the time before */
	__atomic_store_n(&cpus_stopping, true, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < cpu_count; i++) {
		if (i == cpu_index())
			continue;
		unsigned long irq = spin_lock_irq(&queues[i].lock);
		thread_work_add(queues[i].running, WORK_RESCHEDULE);
		spin_unlock_irq(&queues[i].lock, irq);
		cpu_kick(i);
	}
	while (__atomic_load_n(&standing, __ATOMIC_SEQ_CST) < cpu_count - 1)
		spin_wait();
}

void sched_release_others(void)
{
	__atomic_store_n(&cpus_stopping, false, __ATOMIC_SEQ_CST);
	mutex_unlock(&stop_lock);
}
