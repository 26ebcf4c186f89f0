/*
 * tests/host/sim/sim.h - a simulated machine, on which vm/ runs as a program of the host.
 *
 * Physical memory is a memfd mapped at SIM_DIRECT (the direct map).  A kernel range is a reserved host area into which mmu_map on kernel_mmu
 * maps the memfd's frames, so kernel memory is used as it is in the kernel.  User memory is reached by sim_read and sim_write alone, which
 * do what a processor does: look into the TLB, walk the tables, set accessed and dirty, fault, and try again.
 *
 * Processors: each has a TLB for each space that it runs, which is as large as an address space and forgets nothing until it is told to, of leaf entries and of
 * upper entries, so that stale entries live as long as they may.  A processor that is told by another to flush does so when it is interrupted, or waits; till then it uses
 * what it has.  One that rests (mmu_rest) may still walk the tables that it knows, but looks up no pages.
 * It is an error, and ends the test, when
 *   - a frame is freed while some TLB still holds it, as a page or as a table;
 *   - an access hits a TLB entry that gives another frame or more rights than the tables do, and nobody is at changing them;
 *   - a frame is written after it was freed, or freed twice;
 *   - a lock is taken against its rank, held over a sleep, or missing at an mmu operation.
 *
 * Threads: turns.c, where one runs at a time and runs repeat exactly; or parallel.c, where they really run at once, with no TLBs, for the thread sanitizer.
 */
#pragma once
#include "lib/assert.h"
#include "vm/fault.h"
#include "lib/sync.h"

/* The machine. */
enum { SIM_RANGES = 8 };
struct sim_range { paddr_t start, end; };
struct sim_config {
	struct sim_range ram[SIM_RANGES];	/* up to the first empty one */
	struct sim_range image;			/* inside RAM, reserved: what the boot loader brought; empty: none */
};
/* Memory, physical map, kernel_mmu: all up to vm_init(). Once a process. */
void sim_machine(const struct sim_config *);
/* The same for `size` bytes of RAM from 0, then vm_init(). */
void sim_boot(size_t size);
void sim_boot_config(const struct sim_config *);

/* Has the kernel logged this text since the last call? */
bool sim_said(const char *text);

/* User accesses, on the processor that runs the space (or one that is free): FAULT_DONE, or the outcome of the fault that ended it. */
int sim_read(struct space *, vaddr_t, void *to, size_t n);
int sim_write(struct space *, vaddr_t, const void *from, size_t n);
int sim_exec(struct space *, vaddr_t);
int sim_read_byte(struct space *, vaddr_t, uint8_t *to);
int sim_write_byte(struct space *, vaddr_t, uint8_t value);
/* What vm_limit and vm_privileged say: by enum vm_limit, SIZE_MAX from the start; privileged from the start. */
extern size_t sim_limits[3];
extern bool sim_privileged;
/* The space's processor runs it no more: before the last space_put. */
void sim_stop(struct space *);
/* The current thread's processor uses no user memory until the next access. */
void sim_rest(void);
/* The current thread's user_copy_* go to this space. */
void sim_enter(struct space *);

/* What the faults of sim_* were: all of them since sim_faults_clear, and the last one. */
extern __thread struct fault_stats sim_faults;
extern __thread struct fault_result sim_last_fault;
void sim_faults_clear(void);

/* One access of the current thread's processor: true: it may use the frame, until sim_access_end; false: a page fault. */
bool sim_access_begin(struct space *, vaddr_t, enum fault_access, pfn_t *);
void sim_access_end(void);
/* A fault that was served and comes again so often is never done with. */
enum { SIM_FAULT_TRIES = 100 };

/* Compares each TLB with the tables: a TLB may be stricter, never say more. */
void sim_tlb_check(void);
/* For every processor: forgets all, as after a long time. */
void sim_tlb_forget(void);
/* Puts an entry into the TLB of the space's processor that is stricter than the table's: a stale one. */
void sim_tlb_make_strict(struct space *, vaddr_t);

/* What the MMU's code does to the TLBs.  Upper entries stay unless asked for. */
enum sim_upper { SIM_UPPER_STAY, SIM_UPPER_TOO };
void sim_tlb_flush(pfn_t root, vaddr_t start, vaddr_t end, enum sim_upper);	/* of every processor that runs the root: when it returns, all have */
void sim_tlb_flush_here(pfn_t root, vaddr_t start, vaddr_t end, enum sim_upper);
void sim_tlb_load(pfn_t root);		/* this processor runs it from now on, and has forgotten all */
void sim_tlb_resume(void);		/* it rests no more */
void sim_tlb_leave(pfn_t root);		/* nobody rests on it any more */
pfn_t sim_tlb_root(void);		/* what this processor runs; PFN_NONE: nothing yet, or it rests and must load it anew */
bool sim_tlb_runs(pfn_t root);		/* does any processor? */
bool sim_tlb_holds(pfn_t);
void sim_tlb_tell(pfn_t);		/* who does, and for which page: on stderr */
void sim_tlb_serve(void);		/* this processor flushes what others have asked for */
/* Interrupts a processor: there the machine's sim_interrupt is called. */
void sim_send_interrupt(unsigned cpu);
void sim_interrupt(void);
void sim_tlb_speculate(void);		/* each processor walks to the page that it used last */

/* Makes the tables that kernel_mmu starts with, in frames of boot_alloc. */
void sim_mmu_start(void);

/* Tables as the TLB's walker sees them; the bits are in sim_pte.h.  level 0 is the leaf. */
typedef uint64_t sim_pte;
sim_pte *sim_table_entry(pfn_t table, unsigned level, size_t page);
#include <sim_pte.h>		/* the machine decides */

/* Frames: is it handed out at the moment? */
bool sim_frame_in_use(pfn_t);
/* How often a frame was asked for in vain. */
extern unsigned long sim_alloc_failures;

/* Maps and unmaps frames in the host's address space, for kernel ranges. */
void sim_host_map(vaddr_t, pfn_t, unsigned prot);
void sim_host_unmap(vaddr_t);
/* Does reading (or writing) this byte of kernel memory fault, lazy ranges served? */
bool sim_kernel_faults(volatile uint8_t *, enum fault_access);

/* Threads.  What is in one: thread.h. */
struct sim_thread *sim_thread_start(void (*fn)(void *), void *arg);
void sim_thread_join(struct sim_thread *);
void sim_yield(void);
/* From now on (period 0: no more) threads that are started have a processor each, and change hands at about one point in `period`.  Not said before: they do where they sleep. */
struct sim_schedule { uint64_t seed; enum { SIM_RANDOM, SIM_PRIORITIES } policy; unsigned period; };
void sim_run_together(struct sim_schedule);
/* Here another thread may go on. */
void sim_point(void);
/* Not from here to sim_quiet(false). */
void sim_quiet(bool on);
unsigned long sim_points(void);		/* passed since sim_run_together */
unsigned long sim_contended(void);	/* locks that were not to be had at once */
/* Who is on the processor, or NULL; does it run there, or sleep? */
struct sim_thread *sim_cpu_thread(unsigned cpu);
bool sim_cpu_runs(unsigned cpu);
/* Locks of the current thread. */
unsigned sim_locks_held(void);
bool sim_holds(const void *lock);
bool sim_holds_rank(unsigned rank);
/* How often locks of this name have been taken, by all threads, since the name was last asked for; it is the only one that is counted. */
unsigned sim_locks_taken(const char *name);
/* Inside vm_check, which takes no locks because nothing else runs. */
extern bool sim_all_stands;
/* Panics when a lock of rank RANK_SPACE or above is held: pager calls and user copies. */
void sim_check_unlocked(const char *where);
