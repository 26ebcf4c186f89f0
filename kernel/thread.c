/*
 * kernel/thread.c - threads as such: their structure and kernel stack, and threads of the kernel's own.
 */
#include "kernel/run_queue.h"
#include "vm/heap.h"
#include "vm/kspace.h"

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
	trace_init_thread(t);
	t->state = THREAD_WAITING;
	t->turn = SLICE_TICKS;
	t->affinity = ~(uint64_t)0;
	t->queue = here();			/* a signal may come before it is added */
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
