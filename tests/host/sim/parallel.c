/*
 * tests/host/sim/parallel.c - threads that really run at once, for the thread sanitizer: in place of turns.c and tlb.c.
 *
 * There are no TLBs: each access walks the tables anew, and uses the frame until it says that it has ended; a flush waits for the accesses that have begun.  The walk is the hardware's, so it
 * is written in instructions that the sanitizer does not see, as the bytes of programs are.  What it sees is the kernel alone.
 */
#include <sched.h>
#include <stdlib.h>
#include "thread.h"

static struct sim_thread first_thread;
__thread struct sim_thread *sim_current;
struct list sim_threads = LIST_INIT(sim_threads);		/* changed by the first thread only, before the others begin to look and after they have ended */
static struct sim_thread *on_cpu[CPUS_MAX];			/* atomic */

static void setup(struct sim_thread *t)
{
	sim_thread_setup(t);
	pthread_mutex_init(&t->mutex, NULL);
	pthread_cond_init(&t->wake, NULL);
	list_append(&sim_threads, &t->all);
	__atomic_store_n(&on_cpu[t->cpu], t, __ATOMIC_RELEASE);
}

__attribute__((constructor)) static void threads_begin(void)
{
	sim_current = &first_thread;
	setup(&first_thread);
	sim_guard_nothing();
}

/* ---- threads ------------------------------------------------------------------------------------------------------------------------------ */

static unsigned active;			/* threads that have not come to their end; atomic */

static void *thread_main(void *arg)
{
	sim_current = arg;
	sim_current->fn(sim_current->arg);
	cpu_irq_disable();
	mmu_activate(NULL);
	cpu_irq_enable();
	/* Whoever has seen before that this processor has something to flush still waits for it. */
	for (__atomic_sub_fetch(&active, 1, __ATOMIC_ACQ_REL); __atomic_load_n(&active, __ATOMIC_ACQUIRE) > 0; sched_yield())
		sim_point();
	sim_thread_ended(sim_current);
	return NULL;
}

struct sim_thread *sim_thread_start(void (*fn)(void *), void *arg)
{
	struct sim_thread *t = calloc(1, sizeof *t);

	t->fn = fn;
	t->arg = arg;
	while (on_cpu[t->cpu])
		t->cpu++;
	setup(t);
	__atomic_add_fetch(&active, 1, __ATOMIC_RELAXED);
	if (pthread_create(&t->pthread, NULL, thread_main, t))
		panic("pthread_create failed");
	return t;
}

void sim_thread_join(struct sim_thread *t)
{
	pthread_join(t->pthread, NULL);
	__atomic_store_n(&on_cpu[t->cpu], NULL, __ATOMIC_RELEASE);
	list_remove(&t->all);
	free(t);
}

void sim_block(void)
{
	struct sim_thread *me = sim_current;

	pthread_mutex_lock(&me->mutex);
	while (!me->permit) {
		if (!me->interrupted) {
			pthread_cond_wait(&me->wake, &me->mutex);
			continue;
		}
		pthread_mutex_unlock(&me->mutex);
		sim_point();
		pthread_mutex_lock(&me->mutex);
	}
	me->permit = false;
	pthread_mutex_unlock(&me->mutex);
}

void sim_unblock(struct sim_thread *t)
{
	pthread_mutex_lock(&t->mutex);
	t->permit = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->mutex);
}

/* At its next point, or at once if it sleeps. */
void sim_send_interrupt(unsigned cpu)
{
	struct sim_thread *t = __atomic_load_n(&on_cpu[cpu], __ATOMIC_ACQUIRE);

	pthread_mutex_lock(&t->mutex);
	__atomic_store_n(&t->interrupted, true, __ATOMIC_RELEASE);
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->mutex);
}

void sim_point(void)
{
	struct sim_thread *me = sim_current;

	if (!me->irq_off && __atomic_load_n(&me->interrupted, __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&me->interrupted, false, __ATOMIC_RELAXED);
		sim_interrupt();
	}
}

void sim_yield(void)
{
	lock_check_may_sleep();
	sched_yield();
}

void spin_wait(void)
{
	cpu_poll();
	sched_yield();
}

/* As many as there may be: before they start. */
void sim_run_together(struct sim_schedule how)
{
	(void)how;
	cpu_count = CPUS_MAX / 2;
}

void sim_quiet(bool on) { (void)on; }
unsigned long sim_points(void) { return 0; }

/* ---- accesses and flushes ---------------------------------------------------------------------------------------------------------------------- */

static sim_pte hardware_read(const sim_pte *e)
{
	sim_pte v;

	__asm__ volatile("mov %1, %0" : "=r"(v) : "m"(*e) : "memory");
	return v;
}

/* Sets bits of an entry if it still is what was read. */
static bool hardware_set(sim_pte *e, sim_pte was, sim_pte bits)
{
	bool same;

	if ((was & bits) == bits)
		return true;
	__asm__ volatile("lock cmpxchg %3, %1" : "=@ccz"(same), "+m"(*e), "+a"(was) : "r"(was | bits) : "memory");
	return same;
}

static bool allows(sim_pte e, bool write, enum fault_access access)
{
	unsigned prot = sim_pte_user(e) ? sim_pte_prot(e) : 0;

	if (access == FAULT_WRITE)
		return write && prot & VM_WRITE;
	return access == FAULT_READ ? prot != 0 : prot & VM_EXEC;
}

/* false: not present, or not allowed. */
static bool walk(pfn_t table, size_t page, enum fault_access access, pfn_t *pfn)
{
	bool write = true;

	for (int level = SIM_LEVELS - 1; level >= 0; level--) {
		sim_pte *e = sim_table_entry(table, (unsigned)level, page), v = hardware_read(e);

		if (!(v & SIM_PRESENT) || (level > 0 && !sim_pte_upper_sound(v)))
			return false;
		if (level > 0 && !sim_pte_large(v)) {
			write = write && sim_pte_upper_write(v);
			if (!hardware_set(e, v, SIM_ACCESSED))
				return false;			/* the fault finds that all is well */
			table = sim_pte_pfn(v);
			continue;
		}
		if (!allows(v, write, access) || !hardware_set(e, v, access == FAULT_WRITE ? SIM_ACCESSED | SIM_DIRTY : SIM_ACCESSED))
			return false;
		*pfn = sim_pte_pfn(v) + (level > 0 ? page & ((1 << SIM_TABLE_BITS) - 1) : 0);
		return true;
	}
	return false;
}

bool sim_access_begin(struct space *space, vaddr_t va, enum fault_access access, pfn_t *pfn)
{
	sim_point();
	sim_enter(space);
	if (va >= SIM_PAGES << PAGE_SHIFT)
		return false;
	__atomic_add_fetch(&sim_current->accesses, 1, __ATOMIC_SEQ_CST);
	if (walk(sim_root(&space->mmu), va >> PAGE_SHIFT, access, pfn))
		return true;
	sim_access_end();
	return false;
}

void sim_access_end(void)
{
	__atomic_add_fetch(&sim_current->accesses, 1, __ATOMIC_SEQ_CST);
}

void sim_tlb_flush(pfn_t root, vaddr_t start, vaddr_t end, enum sim_upper upper)
{
	(void)root, (void)start, (void)end, (void)upper;
	__atomic_add_fetch(&first_thread.accesses, 2, __ATOMIC_SEQ_CST);	/* what was written before is seen by who begins from here on */
	for (unsigned i = 0; i < CPUS_MAX; i++) {
		struct sim_thread *t = __atomic_load_n(&on_cpu[i], __ATOMIC_ACQUIRE);
		unsigned long n = t && t != sim_current ? __atomic_load_n(&t->accesses, __ATOMIC_SEQ_CST) : 0;
		while (n % 2 && __atomic_load_n(&t->accesses, __ATOMIC_SEQ_CST) == n)
			spin_wait();
	}
}

void sim_enter(struct space *space)
{
	sim_current->entered = space;
	unsigned long irq = cpu_irq_save();
	mmu_activate(&space->mmu);
	cpu_irq_restore(irq);
}

void sim_rest(void)
{
	unsigned long irq = cpu_irq_save();
	mmu_rest();
	cpu_irq_restore(irq);
}

/* Whoever has used it rests. */
void sim_stop(struct space *space) { (void)space; }
void sim_tlb_serve(void) {}
void sim_tlb_flush_here(pfn_t root, vaddr_t start, vaddr_t end, enum sim_upper upper) { (void)root, (void)start, (void)end, (void)upper; }
void sim_tlb_load(pfn_t root) { (void)root; }
void sim_tlb_resume(void) {}
void sim_tlb_leave(pfn_t root) { (void)root; }
pfn_t sim_tlb_root(void) { return PFN_NONE; }
bool sim_tlb_runs(pfn_t root) { (void)root; return false; }
void sim_tlb_tell(pfn_t pfn) { (void)pfn; }
bool sim_tlb_holds(pfn_t pfn) { (void)pfn; return false; }
void sim_tlb_speculate(void) {}
void sim_tlb_check(void) {}
