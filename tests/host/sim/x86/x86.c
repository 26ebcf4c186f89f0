/*
 * tests/host/sim/x86/x86.c - what arch/x86_64/mmu.c needs around it to serve the simulated machine's user spaces.  Kernel ranges do not exist
 * on this machine: the kernel's half of its tables is made by code that runs at boot only.
 */
#include "thread.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/boot_map.h"
#include "arch/x86_64/tlb.h"
#include "arch/x86_64/traps.h"
#include "vm/physmap.h"

/* ---- processors ------------------------------------------------------------------------------------------------------------------------- */

struct arch_cpu arch_cpus[CPUS_MAX];

void apic_send(uint32_t id, unsigned vector)
{
	if (vector == VECTOR_REQUEST)
		sim_send_interrupt(id);
}

void apic_send_nmi(uint32_t id) { (void)id; }

void sim_interrupt(void)
{
	bool was_off = sim_irq_set(true);

	cpu_poll();
	sim_irq_set(was_off);
}


/* ---- tables ------------------------------------------------------------------------------------------------------------------------------- */

void sim_mmu_start(void)
{
	pfn_t root = boot_alloc(1);

	if (root == PFN_NONE)
		panic("simulated RAM is too small");
	page_zero(direct(root));
	kernel_mmu = (struct mmu){ .root = paddr_of(root) };
	for (unsigned i = 0; i < CPUS_MAX; i++) {
		arch_cpus[i].apic_id = sim_current->cpu = i;
		mmu_activate(NULL);
	}
	sim_current->cpu = 0;
}

/* The upper half of a root is not walked for user addresses; a mark there shows whether anything treats it as the user's. */
void kernel_slots_copy(pte_t *root)
{
	for (unsigned i = 256; i < 512; i++)
		root[i] = PTE_PRESENT | PTE_WRITE;
}

sim_pte *sim_table_entry(pfn_t table, unsigned level, size_t page)
{
	return (sim_pte *)direct(table) + (page >> (9 * level) & 511);
}
