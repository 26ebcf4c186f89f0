/*
 * arch/x86_64/requests.c - what processors ask of each other: interrupts that only wake, flushes of the TLB, barriers, and the end.
 *
 * Each processor has a mailbox.  Whoever asks adds to what is in it already: ranges of one mmu become one range, those of several everything.  Then the
 * processor is interrupted, unless somebody has done so since it last looked.  It empties the mailbox, does what it says, and tells how far it got by a ticket:
 * the number of the mailbox's filling.
 *
 * It looks at its mailbox when the interrupt comes and wherever it waits (cpu_poll, by spin_wait), with interrupts on or off.  So processors that ask each other at the same time, or one
 * that waits for a lock that the asking one holds, do not wait for ever.
 *
 * Locks: a mailbox has its own, interrupts off, held for a few instructions without another; no rank, since nothing is done under it.
 */
#include "arch/x86_64/requests.h"
#include "arch/cpu.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/frame.h"
#include "arch/x86_64/traps.h"
#include "lib/sync.h"

static struct CPU_LOCAL mailbox {
	unsigned lock;			/* atomic */
	bool filled;			/* atomic; written with the lock: there is something in it, and the interrupt has been sent */
	struct request request;		/* with the lock */
	uint64_t filling;		/* with the lock: counts up each time that it was empty */
	uint64_t done;			/* atomic; its own processor writes */
} mailboxes[CPUS_MAX];

static void lock(struct mailbox *m)
{
	while (__atomic_exchange_n(&m->lock, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
}

static void unlock(struct mailbox *m)
{
	__atomic_store_n(&m->lock, 0, __ATOMIC_RELEASE);
}

static void merge(struct request *to, const struct request *r)
{
	to->leave |= r->leave;
	if (!r->mmu)
		return;
	if (!to->mmu) {
		to->mmu = r->mmu;
		to->start = r->start;
		to->end = r->end;
	} else if (to->mmu != r->mmu) {
		to->everything = true;
	} else {
		to->start = r->start < to->start ? r->start : to->start;
		to->end = r->end > to->end ? r->end : to->end;
	}
}

uint64_t request_post(unsigned cpu, const struct request *r)
{
	struct mailbox *m = &mailboxes[cpu];
	unsigned long irq = cpu_irq_save();

	lock(m);
	bool interrupt = !m->filled;
	if (interrupt) {
		m->request = (struct request){ 0 };
		m->filling++;
		__atomic_store_n(&m->filled, true, __ATOMIC_RELAXED);
	}
	merge(&m->request, r);
	uint64_t ticket = m->filling;
	unlock(m);
	if (interrupt)
		apic_send(arch_cpus[cpu].apic_id, VECTOR_REQUEST);
	cpu_irq_restore(irq);
	return ticket;
}

void request_wait(unsigned cpu, uint64_t ticket)
{
	while (__atomic_load_n(&mailboxes[cpu].done, __ATOMIC_ACQUIRE) < ticket)
		spin_wait();
}

void cpu_poll(void)
{
	struct mailbox *m = &mailboxes[cpu_index()];

	if (__builtin_expect(!__atomic_load_n(&m->filled, __ATOMIC_RELAXED), 1))
		return;
	unsigned long irq = cpu_irq_save();
	lock(m);
	struct request r = m->request;
	uint64_t filling = m->filling;
	bool filled = m->filled;
	__atomic_store_n(&m->filled, false, __ATOMIC_RELAXED);
	unlock(m);
	if (filled) {
		tlb_serve(&r);
		__atomic_store_n(&m->done, filling, __ATOMIC_RELEASE);
	}
	cpu_irq_restore(irq);
}

/* Whoever has answered has taken its mailbox's lock, with a locked instruction, after it was asked. */
void cpu_barrier(void)
{
	const struct request nothing = { 0 };
	uint64_t ticket[CPUS_MAX];
	unsigned here = cpu_index(), n = __atomic_load_n(&cpu_count, __ATOMIC_ACQUIRE);

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < n; i++)
		if (i != here)
			ticket[i] = request_post(i, &nothing);
	for (unsigned i = 0; i < n; i++)
		if (i != here)
			request_wait(i, ticket[i]);
}

/* This one is awake. */
void cpu_kick(unsigned cpu)
{
	if (cpu != cpu_index())
		apic_send(arch_cpus[cpu].apic_id, VECTOR_KICK);
}

/* ---- the end ----------------------------------------------------------------------------------------------------------------------------- */

static bool stopping;			/* atomic */
static unsigned stopped;		/* atomic: how many */

void cpu_stop_others(void)
{
	enum { PATIENCE = 10000000 };		/* rounds: one that does not stop must not keep the message back */
	unsigned here = cpu_index(), n = cpu_count;

	__atomic_store_n(&stopping, true, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < n; i++)
		if (i != here)
			apic_send_nmi(arch_cpus[i].apic_id);
	for (int i = 0; i < PATIENCE && __atomic_load_n(&stopped, __ATOMIC_ACQUIRE) < n - 1; i++)
		cpu_relax();
}

void cpu_stop_here(void)
{
	__atomic_add_fetch(&stopped, 1, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

bool cpu_stopping(void)
{
	return __atomic_load_n(&stopping, __ATOMIC_RELAXED);
}
