/*
 * arch/x86_64/others.c - the other processors: which there are, and their start (Intel SDM volume 3, 8.4.4).
 *
 * They start one after the other.  Each has its data and stacks made by processor 0, is reset (INIT) and sent to the trampoline (SIPI, twice: the second is ignored by a
 * processor that runs).  The first thing that it does is to change the trampoline's state from WANTED to CAME; one that has not done so in time is
 * given up by taking WANTED away, so it cannot come later.  The trampoline's page stays reserved for those.
 *
 * The tables of the start map the trampoline's page at its own address, and the kernel's half.  They lie below 4 GiB, since CR3 is loaded in a mode with 32 bits, and are freed
 * when all have come.
 */
#include "arch/x86_64/others.h"
#include "arch/cpu.h"
#include "arch/thread.h"
#include "arch/time.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/boot_map.h"
#include "arch/x86_64/cpu_features.h"
#include "arch/x86_64/multiboot.h"
#include "arch/x86_64/timer.h"
#include "arch/x86_64/traps.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/frame.h"
#include "vm/kspace.h"
#include "vm/physmap.h"
#include "lib/sync.h"

enum { MS = 1000000, US = 1000 };			/* nanoseconds */
enum { RESET_NS = 10 * MS, SECOND_START_NS = 200 * US };
#define PATIENCE_NS ((uint64_t)1000 * MS)

enum { STATE_NOBODY, STATE_WANTED, STATE_CAME };
struct trampoline_data { uint64_t stack; struct arch_cpu *cpu; uint32_t root, apic_id, state; };
extern const char trampoline[], trampoline_data[], trampoline_end[];

unsigned cpu_count = 1;
static struct acpi_processors found;
static const char *why_alone;				/* no others can be started */
static pfn_t page;					/* the trampoline's; 0: none */

void cpu_start_here(struct arch_cpu *) __attribute__((noreturn));

/* ---- finding them ------------------------------------------------------------------------------------------------------------------------ */

static const void *below_4g(paddr_t at, size_t n)
{
	const paddr_t limit = (paddr_t)1 << 32;

	return at < limit && n <= limit - at ? (const void *)(DIRECT_BASE + at) : NULL;
}

static pfn_t take_low_frame(void)
{
	enum { LOW_END = 0xa0 };			/* frames: where the video memory begins */
	size_t n;
	const struct phys_range *r = physmap_free(&n);

	if (n == 0 || r[0].start == 0 || r[0].start >= LOW_END)
		return 0;
	pfn_t taken = r[0].start;
	physmap_reserve(paddr_of(taken), paddr_of(taken + 1));
	return taken;
}

void others_find(void)
{
	const void *root_pointer;
	size_t size = multiboot_acpi(&root_pointer);

	why_alone = acpi_find_processors(root_pointer, size, below_4g, &found);
	if (!why_alone && !apic_present())
		why_alone = "no local interrupt controller";
	if (!why_alone && found.n > 1) {
		page = take_low_frame();
		if (!page)
			why_alone = "no memory below 1 MiB to start others with";
	}
}

/* ---- starting them ----------------------------------------------------------------------------------------------------------------------- */

static void wait_ns(uint64_t ns)
{
	uint64_t end_ns = time_now_ns() + ns;

	while (time_now_ns() < end_ns)
		spin_wait();
}

static struct trampoline_data *data(void)
{
	return (struct trampoline_data *)((char *)direct(page) + (trampoline_data - trampoline));
}

enum { LEVELS = 4 };

/* Tables of the start, from the root down; false: no memory. */
static bool make_tables(pfn_t table[LEVELS])
{
	for (unsigned level = 0; level < LEVELS; level++) {
		table[level] = frame_alloc_zone(0, page_kernel(0, USE_BLOCK), ZONE_DMA32);
		if (table[level] == PFN_NONE) {
			while (level > 0)
				frame_free(table[--level], 0);
			return false;
		}
		page_zero(direct(table[level]));
	}
	kernel_slots_copy(direct(table[0]));
	for (unsigned level = 0; level < LEVELS - 1; level++)		/* the page is below 1 MiB: the first entry of each but the last */
		*(pte_t *)direct(table[level]) = paddr_of(table[level + 1]) | PTE_PRESENT | PTE_WRITE;
	((pte_t *)direct(table[LEVELS - 1]))[page] = paddr_of(page) | PTE_PRESENT;
	return true;
}

static bool wait_for(const uint32_t *state, uint32_t wanted, uint64_t ns)
{
	uint64_t end_ns = time_now_ns() + ns;

	while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != wanted) {
		if (time_now_ns() >= end_ns)
			return false;
		spin_wait();
	}
	return true;
}

/* On another processor, by trampoline.asm, on its own stack. */
void cpu_start_here(struct arch_cpu *cpu)
{
	descriptors_init(cpu);
	mmu_activate(NULL);
	cpu_features_on();
	apic_init();
	clock_meet();
	__atomic_store_n(&cpu_count, cpu->index + 1, __ATOMIC_SEQ_CST);
	kernel_cpu_main();
}

/* Sends it to the trampoline; false: it does not come. */
static bool call(uint32_t id)
{
	uint32_t *state = &data()->state, expected = STATE_WANTED;

	__atomic_store_n(state, STATE_WANTED, __ATOMIC_SEQ_CST);
	apic_send_start(id, page);
	if (wait_for(state, STATE_CAME, SECOND_START_NS))
		return true;
	apic_send_start(id, page);
	return wait_for(state, STATE_CAME, PATIENCE_NS)
		|| !__atomic_compare_exchange_n(state, &expected, STATE_NOBODY, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Starts the processor of this number as the next one. */
static void start(uint32_t id, paddr_t root)
{
	unsigned index = cpu_count;
	struct arch_cpu *cpu = &arch_cpus[index];
	char *stack = kstack_alloc();

	*cpu = (struct arch_cpu){ .index = index, .apic_id = id };
	if (!stack || !exception_stacks_make(cpu)) {
		kprintf("processor %u: too little memory to start it\n", id);
		if (stack)
			kstack_free(stack);
		return;
	}
	*data() = (struct trampoline_data){ .stack = (uint64_t)stack + KERNEL_STACK_PAGES * PAGE_SIZE, .cpu = cpu, .root = (uint32_t)root, .apic_id = id & UINT8_MAX };
	if (!call(id)) {
		kprintf("processor %u does not start\n", id);
		kstack_free(stack);
		exception_stacks_free(cpu);
		return;
	}
	unsigned long irq = cpu_irq_save();
	clock_compare(cpu);
	cpu_irq_restore(irq);
	while (__atomic_load_n(&cpu_count, __ATOMIC_ACQUIRE) == index)
		spin_wait();
}

static bool can_start(uint32_t id)
{
	if (id == arch_cpus[0].apic_id || cpu_count == CPUS_MAX)
		return false;
	if (!apic_reaches(id))
		kprintf("processor %u cannot be reached\n", id);
	return apic_reaches(id);
}

static void start_all(void)
{
	pfn_t table[LEVELS];

	if (!make_tables(table)) {
		why_alone = "too little memory to start others";
		return;
	}
	memcpy(direct(page), trampoline, (size_t)(trampoline_end - trampoline));
	for (unsigned i = 0; i < found.n; i++)
		if (found.apic_id[i] != arch_cpus[0].apic_id && apic_reaches(found.apic_id[i]))
			apic_send_init(found.apic_id[i]);
	wait_ns(RESET_NS);
	for (unsigned i = 0; i < found.n; i++)
		if (can_start(found.apic_id[i]))
			start(found.apic_id[i], paddr_of(table[0]));
	for (unsigned level = 0; level < LEVELS; level++)
		frame_free(table[level], 0);
}

void cpu_start_others(void)
{
	if (!why_alone && !timer_each())
		why_alone = "no timer for each";
	if (!why_alone && found.n > 1)
		start_all();
	if (found.more)
		kprintf("processors: %u; there are %u more than can be used\n", cpu_count, found.more);
	else
		kprintf("processors: %u%s%s%s\n", cpu_count, why_alone ? " (" : "", why_alone ? why_alone : "", why_alone ? ")" : "");
}
