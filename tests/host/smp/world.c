/* tests/host/smp/world.c - the machine, spaces and objects, from the beginning of a program to its end; see world.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "world.h"
#include "vm/account.h"
#include "vm/check.h"
#include "vm/fault.h"
#include "vm/frame.h"

struct program program;
struct place place[SPACES];
struct shared_object shared_object[OBJECTS];
struct run run[RUNS_MAX];
unsigned nruns, window;
struct worker worker[THREADS_MAX];
bool verbose;

static vaddr_t window_start;
static size_t frames_at_first;

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

void say(const struct worker *w, const char *format, ...)
{
	va_list args;

	if (!verbose)
		return;
	va_start(args, format);
	fprintf(stderr, "# %8lu thread %u ", sim_points(), w->id);
	vfprintf(stderr, format, args);
	fputs("\n", stderr);
	va_end(args);
}

static unsigned locked;			/* atomic */

void world_lock(void)
{
	while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE))
		spin_wait();
}

void world_unlock(void)
{
	__atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}

vaddr_t address_of(unsigned page) { return window_start + ((vaddr_t)page << PAGE_SHIFT); }

uint64_t random_below(struct worker *w, uint64_t n)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % n;
}

/* ---- objects ---------------------------------------------------------------------------------------------------------------------------- */

static uint8_t disk[2][OBJECT_PAGES][4096];	/* of DISK_FILE and COMMON_FILE */

static int number_of(const struct object *o) { return (int)((struct shared_object *)o->backing - shared_object); }
static uint8_t (*disk_of(int object))[4096] { return disk[object == COMMON_FILE]; }

uint64_t file_word(int object, unsigned index, unsigned slot)
{
	if (object != READ_FILE && object != DISK_FILE && object != COMMON_FILE)
		return 0;
	return (uint64_t)0xf1 << 56 | (uint64_t)slot << 48 | (uint64_t)(unsigned)object << 40 | (uint64_t)index << 16;
}

static void make_page(int object, unsigned index, uint8_t *to)
{
	memset(to, 0, PAGE_SIZE);
	for (unsigned slot = 0; slot < THREADS_MAX; slot++)
		*(uint64_t *)(void *)(to + ((slot + 1) * 1000 & ~7u)) = file_word(object, index, slot);
}

static int read_page(struct object *o, uint64_t index, void *to)
{
	int n = number_of(o);

	sim_check_unlocked("a pager reads");
	for (unsigned i = 0; i < index % 3; i++)
		sim_yield();
	if (n == READ_FILE)
		make_page(n, (unsigned)index, to);
	else
		page_copy(to, disk_of(n)[index]);
	return 0;
}

static void write_page(struct object *o, uint64_t index, const void *from)
{
	page_copy(disk_of(number_of(o))[index], from);
}

static const struct pager reads = { .read = read_page }, writes = { .read = read_page, .write = write_page };

static void objects_start(void)
{
	static const struct { const struct pager *pager; size_t npages; } what[OBJECTS] = {
		[READ_FILE] = { &reads, OBJECT_PAGES }, [DISK_FILE] = { &writes, 100 }, [MEMORY] = { NULL, 60 }, [COMMON_FILE] = { &writes, 40 }, [COMMON_MEMORY] = { NULL, 40 } };

	for (int n = 0; n < OBJECTS; n++) {
		struct shared_object *o = &shared_object[n];

		o->npages = what[n].npages;
		mutex_init(&o->writer, "file", RANK_VNODE);
		o->object = object_create(what[n].pager, o, o->npages << PAGE_SHIFT);
		if (!o->object)
			differ("no memory for an object");
		for (unsigned i = 0; i < OBJECT_PAGES && (n == DISK_FILE || n == COMMON_FILE); i++) {
			memset(disk_of(n)[i], 0, PAGE_SIZE);
			if (i < o->npages)
				make_page(n, i, disk_of(n)[i]);
		}
	}
}

void disk_forget(int object, size_t first)
{
	memset(disk_of(object)[first], 0, (OBJECT_PAGES - first) * PAGE_SIZE);
}

/* ---- spaces -------------------------------------------------------------------------------------------------------------------------------- */

static void runs_start(void)
{
	const unsigned table = 1 << (HUGE_SHIFT - PAGE_SHIFT);
	struct worker w = { .random = program.seed ^ 77 };
	unsigned at = 0;

	window = program.style == NARROW ? 16 : program.style == SPREAD ? 160 : table < 64 ? 5 * table : 2 * table;
	window_start = (USER_MIN + MMU_TABLE_REACH - 1) & ~(vaddr_t)(MMU_TABLE_REACH - 1);
	if (program.style != DENSE && table > window / 2)		/* two tables share it */
		window_start += ((vaddr_t)table - window / 2) << PAGE_SHIFT;
	for (nruns = 0; at < window; nruns++) {
		unsigned n = 1 + (unsigned)random_below(&w, program.style == NARROW ? 3 : program.style == SPREAD ? 8 : one_in(&w, 2) ? table : table / 3);
		if (program.style == DENSE && one_in(&w, 3))
			n = table - at % table;
		if (n > window - at)
			n = window - at;
		run[nruns] = (struct run){ at, n, (unsigned)random_below(&w, program.threads + 1) };
		at += n;
	}
}

bool is_common(unsigned page)
{
	unsigned i = 0;

	while (page >= run[i].first + run[i].n)
		i++;
	return run[i].owner == program.threads;
}

static void spaces_start(void)
{
	struct place *p = &place[0];

	p->space = space_create();
	if (!p->space)
		differ("no memory for a space");
	p->space->stack_limit = 0;
	for (unsigned i = 0; i < nruns; i++)
		for (unsigned k = run[i].first; k < run[i].first + run[i].n; k++)
			p->view[k] = (struct view){ .object = -1, .vague = run[i].owner == program.threads };
	content_reset(p, 0, window, &(struct note){ { 0 } });
}

void world_boot(const struct program *what)
{
	struct vmcheck report;

	program = *what;
	sim_boot(program.memory);
	overcommit.mode = OVERCOMMIT_ALWAYS;
	huge_policy = program.style == DENSE ? HUGE_ALWAYS : HUGE_NEVER;
	fork_tables = program.fork;
	vm_check(&report);
	frames_at_first = report.managed_frames - report.kernel_frames;
	for (unsigned i = 0; i < program.threads; i++)
		worker[i] = (struct worker){ .id = i, .random = program.seed + i };
	runs_start();
	objects_start();
	views_start();
	spaces_start();
}

void world_check(void)
{
	struct vmcheck report;

	vm_check(&report);
	if (report.errors)
		differ("vm_check found %lu errors", (unsigned long)report.errors);
	sim_tlb_check();
}

void world_end(void)
{
	struct vmcheck r;

	for (struct place *p = place; p < place + SPACES; p++)
		if (p->space) {
			sim_stop(p->space);
			space_put(p->space);
		}
	for (int n = 0; n < OBJECTS; n++)
		object_put(shared_object[n].object);
	vm_check(&r);
	size_t records = r.records_file + r.records_shared + r.records_pinned + r.records_cut;
	if (r.errors || r.spaces || r.objects || r.heap_objects || records || frame_free_count() + r.heap_frames != frames_at_first)
		differ("left over: %lu errors, %lu spaces, %lu objects, %lu heap objects, %zu records, %ld frames", (unsigned long)r.errors,
			(unsigned long)r.spaces, (unsigned long)r.objects, (unsigned long)r.heap_objects, records,
			(long)(frames_at_first - frame_free_count() - r.heap_frames));
}
