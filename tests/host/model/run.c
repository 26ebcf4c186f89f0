/* tests/host/model/run.c - the runner's loop; see run.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "inside.h"
#include "files.h"
#include "now.h"
#include "vm/account.h"
#include "vm/fault.h"
#include "vm/frame.h"
#include "vm/reclaim.h"

enum { COMPARE_STEPS = 40, REFUSALS_TO_KILL = 4, THREADS = 3 };

const char *const outcome_name[OUTCOMES] = {
	"ok", "nothing", "partial", "refused", "unreadable", "segv", "bus", "ENOMEM", "EINVAL", "EFAULT", "EACCES", "EEXIST", "other" };

static struct run_stats no_stats;
struct run_stats *run_stats = &no_stats;
const struct program *running;
size_t arena_pages;

static unsigned next_step;		/* of the program; taken by the thread that runs */
static unsigned refused_steps;		/* of the program */

__thread struct now now;

void differ(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("# ", stderr);
	vfprintf(stderr, format, args);
	fputs("\n", stderr);
	va_end(args);
	abort();
}

/* ---- arguments ---------------------------------------------------------------------------------------------------------------- */

vaddr_t arena_address(unsigned long at)
{
	return USER_MIN + at % (arena_pages << PAGE_SHIFT);
}

size_t arena_clip(vaddr_t at, unsigned long length)
{
	size_t room = address_of(arena_pages) - page_ceil(at);

	return length > room && length <= USER_MAX ? room : length;
}

/* ---- no memory: an excuse that must be true ------------------------------------------------------------------------------------ */

static bool armed;			/* an allocation is going to fail */
static unsigned long injected;

static unsigned long refusals(void)
{
	if (armed && alloc_fail_at == 0) {
		armed = false;
		injected++;
	}
	return injected + sim_alloc_failures;
}

bool memory_was_refused(void)
{
	bool refused = refusals() != now.refusals_before;

	armed = false;
	alloc_fail_at = 0;
	return refused;
}

bool pager_failed(void)
{
	return now.failed_reads > 0;
}

bool excused(ssize error)
{
	return (error == -ENOMEM && memory_was_refused()) || (error == -EIO && pager_failed());
}

enum outcome outcome_of(ssize error)
{
	if (error == -ENOMEM && memory_was_refused())
		return OUT_REFUSED;
	switch (error) {
	case 0:       return OUT_OK;
	case -ENOMEM: return OUT_ENOMEM;
	case -EINVAL: return OUT_EINVAL;
	case -EFAULT: return OUT_EFAULT;
	case -EACCES: return OUT_EACCES;
	case -EEXIST: return OUT_EEXIST;
	case -EIO:    return OUT_UNREADABLE;
	default:      return error > 0 ? OUT_OK : OUT_OTHER;
	}
}

enum outcome expect_error(const char *call, ssize error, ssize expected)
{
	if (error != expected && !excused(error))
		differ("%s gives %ld in place of %ld", call, (long)error, (long)expected);
	return outcome_of(error);
}

/* ---- steps --------------------------------------------------------------------------------------------------------------------- */

static enum outcome op_reclaim(struct process *p, const unsigned long *a)
{
	(void)p;
	reclaim_frames(1 + a[0] % 64);
	return OUT_OK;
}

static enum outcome op_forget(struct process *p, const unsigned long *a)
{
	(void)p, (void)a;
	sim_tlb_forget();
	return OUT_OK;
}

static op_fn *const operation[OPS] = {
	[OP_MMAP] = op_mmap, [OP_MUNMAP] = op_munmap, [OP_MPROTECT] = op_mprotect, [OP_MREMAP] = op_mremap, [OP_MADVISE] = op_madvise,
	[OP_MINCORE] = op_mincore, [OP_MSYNC] = op_msync, [OP_MLOCK] = op_mlock, [OP_BRK] = op_brk, [OP_TOUCH] = op_touch, [OP_SWEEP] = op_sweep,
	[OP_COPY_IN] = op_copy_in, [OP_COPY_OUT] = op_copy_out, [OP_FORK] = op_fork, [OP_EXIT] = op_exit, [OP_EXEC] = op_exec,
	[OP_READ] = op_read, [OP_READ_KERNEL] = op_read_kernel, [OP_WRITE] = op_write, [OP_WRITE_KERNEL] = op_write_kernel,
	[OP_TRUNCATE] = op_truncate, [OP_PUNCH] = op_punch,
	[OP_SYNC] = op_sync, [OP_RENEW] = op_renew, [OP_RECLAIM] = op_reclaim, [OP_FORGET] = op_forget,
};

/* The process in this slot, or in the next one that has one. */
static struct process *process_of(unsigned who)
{
	unsigned i = who % REF_PROCESSES;

	while (!process[i].space)
		i = (i + 1) % REF_PROCESSES;
	return &process[i];
}

/* Moves an address of a step to the next mapped page, if the step wants that. */
static void seek(const struct process *p, const struct step *step, unsigned long *a)
{
	unsigned long *at = step->op == OP_READ || step->op == OP_WRITE ? &a[2] : &a[0];
	size_t page, next;

	memcpy(a, step->a, sizeof step->a);
	if (!step->seek)
		return;
	page = page_of(arena_address(*at));
	next = ref_next(p->ref, page);
	if (next < arena_pages)
		*at += (next - page) << PAGE_SHIFT;
}

static void run_step(const struct step *step)
{
	struct process *p = process_of(step->who);
	unsigned long a[ARGUMENTS];

	seek(p, step, a);
	now = (struct now){ .step = step, .refusals_before = refusals() };
	armed = step->fail > 0;
	alloc_fail_at = step->fail;
	p->busy++;
	enum outcome outcome = operation[step->op](p, a);
	p->busy--;
	bool refused = memory_was_refused();
	run_stats->count[step->op][outcome]++;
	run_stats->steps++;
	run_stats->refused += refused;
	if (refused && ++refused_steps % REFUSALS_TO_KILL == 0)
		kill_largest();		/* memory that is used up comes back so, as with the OOM policy */
	compare_changed();
}

static void run_steps(void *unused)
{
	(void)unused;
	while (next_step < running->nsteps) {
		unsigned i = next_step++;

		run_stats->step = i;
		run_step(&running->step[i]);
		if (next_step % COMPARE_STEPS == 0)
			compare_all();
	}
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------------ */

void run_boot(unsigned kib)
{
	sim_boot_config(&(struct sim_config){
		.ram = { { 0, 0x20000 }, { IMAGE_START, IMAGE_END + 0x13000 }, { 0x280000, 0x280000 + ((paddr_t)kib << 10) } },
		.image = { IMAGE_START, IMAGE_END } });
}

static void count_faults(void)
{
	for (unsigned i = 0; i < FAULT_CLASSES; i++)
		run_stats->faults[i] += sim_faults.count[i];
	run_stats->waited += sim_faults.flags[FAULT_FLAG_WAITED];
	sim_faults_clear();
}

void run_program(const struct program *program)
{
	struct sim_thread *other[THREADS];
	unsigned nothers = (program->threads - 1) % THREADS;
	size_t frames = frames_when_empty();

	running = program;
	arena_pages = program->window % (REF_PAGES - ARENA_STACK) + ARENA_STACK;
	huge_policy = program->policy % 3;
	fork_tables = program->policy / 3 % 2;
	overcommit.mode = OVERCOMMIT_ALWAYS;
	next_step = refused_steps = 0;
	injected = sim_alloc_failures = 0;
	files_start();
	processes_start();
	for (unsigned i = 0; i < nothers; i++)
		other[i] = sim_thread_start(run_steps, NULL);
	run_steps(NULL);
	for (unsigned i = 0; i < nothers; i++)
		sim_thread_join(other[i]);
	compare_all();
	processes_end();
	files_end();
	compare_nothing_left(frames);
	run_stats->programs++;
	count_faults();
}
