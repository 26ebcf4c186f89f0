/* tests/host/sim/sim_pte.h - the simulated machine's page-table entries: a frame number above PAGE_SHIFT, and these bits. */
#pragma once

enum { SIM_SPACES = 16 };		/* that a processor has TLBs for */

enum { SIM_PRESENT = 1, SIM_READ = 2, SIM_WRITE = 4, SIM_EXEC = 8, SIM_ACCESSED = 16, SIM_DIRTY = 32, SIM_LARGE = 64 };
static inline unsigned sim_pte_prot(sim_pte e) { return (e / SIM_READ) & VM_RIGHTS; }
static inline pfn_t sim_pte_pfn(sim_pte e) { return e >> PAGE_SHIFT; }
static inline bool sim_pte_user(sim_pte e) { (void)e; return true; }
/* Upper entries: well-formed, maps memory itself, allows writing below. */
static inline bool sim_pte_upper_sound(sim_pte e) { (void)e; return true; }
static inline bool sim_pte_large(sim_pte e) { return e & SIM_LARGE; }
static inline bool sim_pte_upper_write(sim_pte e) { return e & SIM_WRITE; }
static inline pfn_t sim_root(const struct mmu *m) { return m->root; }
