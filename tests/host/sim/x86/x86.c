/*
 * tests/host/sim/x86/x86.c - what arch/x86_64/mmu.c needs around it to serve the simulated machine's user spaces.  Kernel ranges do not exist
 * on this machine: the kernel's half of its tables is made by code that runs at boot only.
 */
#include "sim.h"
#include "arch/x86_64/boot_map.h"
#include "arch/x86_64/tlb.h"
#include "vm/physmap.h"

void sim_mmu_start(void)
{
	pfn_t root = boot_alloc(1);

	if (root == PFN_NONE)
		panic("simulated RAM is too small");
	page_zero(direct(root));
	kernel_mmu = (struct mmu){ .root = paddr_of(root) };
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
