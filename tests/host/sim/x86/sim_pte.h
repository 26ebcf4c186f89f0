/*
 * tests/host/sim/x86/sim_pte.h - page-table entries as an x86-64 processor sees them (Intel SDM volume 3, 4.5), written down
 * a second time so that the kernel's own definitions are not measured by themselves.
 */
#pragma once

enum { SIM_SPACES = 1 };		/* that a processor has TLBs for */

#define SIM_PRESENT	((sim_pte)1 << 0)
#define SIM_WRITE	((sim_pte)1 << 1)
#define SIM_USER	((sim_pte)1 << 2)
#define SIM_ACCESSED	((sim_pte)1 << 5)
#define SIM_DIRTY	((sim_pte)1 << 6)
#define SIM_LARGE	((sim_pte)1 << 7)
#define SIM_GLOBAL	((sim_pte)1 << 8)
#define SIM_NX		((sim_pte)1 << 63)
static inline unsigned sim_pte_prot(sim_pte e)
{
	return VM_READ | (e & SIM_WRITE ? VM_WRITE : 0) | (e & SIM_NX ? 0 : VM_EXEC);
}
static inline pfn_t sim_pte_pfn(sim_pte e) { return (e & 0x000ffffffffff000) >> PAGE_SHIFT; }
/* A user's leaf entry, and not one that survives a load of CR3. */
static inline bool sim_pte_user(sim_pte e) { return (e & SIM_USER) && !(e & SIM_GLOBAL); }
/* Upper entries: well-formed, maps memory itself, allows writing below. */
static inline bool sim_pte_upper_sound(sim_pte e) { return (e & SIM_USER) && !((e & SIM_NX) && !(e & SIM_LARGE)); }
static inline bool sim_pte_large(sim_pte e) { return e & SIM_LARGE; }
static inline bool sim_pte_upper_write(sim_pte e) { return e & SIM_WRITE; }
static inline pfn_t sim_root(const struct mmu *m) { return pfn_of(m->root); }
