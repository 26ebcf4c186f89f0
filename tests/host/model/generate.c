/*
 * tests/host/model/generate.c - see generate.h.
 *
 * Addresses come from ranges that were used lately more often than not, so that operations meet: the whole range, a part of it, or a bit more.  A
 * program has a style, which says what is frequent in it.  Dense programs work with whole leaf tables, filled: what fork shares, what may be huge pages.
 */
#include <stdlib.h>
#include "generate.h"
#include "files.h"
#include "vm/mmap.h"
#include "vm/fault.h"

enum { SMALL_WINDOW = 160, LONGEST = 24, RECENT = 12, TABLE_PAGES = 1 << (HUGE_SHIFT - PAGE_SHIFT) };

struct range { unsigned long at, length; };

struct source {
	const uint8_t *bytes;		/* NULL: random words */
	size_t left;
	uint64_t state;
	const struct style *style;
	unsigned window;
	struct range recent[RECENT];
	unsigned nrecent;
};

uint64_t random_word(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A number below n; from bytes, as few of them as hold it. */
static unsigned long below(struct source *s, unsigned long n)
{
	unsigned long word = 0;

	if (!s->bytes)
		return random_word(&s->state) % n;
	for (unsigned long reach = 1; reach < n && s->left > 0; reach <<= 8, s->left--)
		word = word << 8 | *s->bytes++;
	return word % n;
}

static bool one_in(struct source *s, unsigned n)
{
	return below(s, n) == n - 1;
}

/* ---- styles ----------------------------------------------------------------------------------------------------------------------------- */

struct style {
	bool dense;
	unsigned fail;			/* one in so many steps has an allocation refused; 0: none */
	uint8_t weight[OPS];
};

#define COMMON_WEIGHTS \
	[OP_MMAP] = 14, [OP_MUNMAP] = 7, [OP_MPROTECT] = 10, [OP_MREMAP] = 8, [OP_MADVISE] = 8, [OP_MINCORE] = 2, [OP_MSYNC] = 2, [OP_MLOCK] = 2, \
	[OP_BRK] = 5, [OP_TOUCH] = 36, [OP_SWEEP] = 14, [OP_COPY_IN] = 4, [OP_COPY_OUT] = 5, [OP_FORK] = 5, [OP_EXIT] = 4, \
	[OP_EXEC] = 1, [OP_READ] = 6, [OP_READ_KERNEL] = 3, [OP_WRITE] = 5, [OP_WRITE_KERNEL] = 3, [OP_TRUNCATE] = 3, [OP_PUNCH] = 2, [OP_SYNC] = 2, \
	[OP_RENEW] = 2, [OP_RECLAIM] = 1, [OP_FORGET] = 2

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct style styles[] = {
	{ .fail = 0, .weight = { COMMON_WEIGHTS } },
	{ .fail = 12, .weight = { COMMON_WEIGHTS } },
	{ .fail = 3, .weight = { COMMON_WEIGHTS, [OP_FORK] = 10, [OP_EXIT] = 9, [OP_EXEC] = 2 } },
	{ .fail = 16, .weight = { COMMON_WEIGHTS, [OP_MREMAP] = 40, [OP_SWEEP] = 24, [OP_FORK] = 8 } },
	{ .fail = 16, .weight = { COMMON_WEIGHTS, [OP_READ] = 20, [OP_WRITE] = 16, [OP_TRUNCATE] = 10, [OP_RENEW] = 6, [OP_BRK] = 1 } },
	{ .fail = 20, .dense = true, .weight = { COMMON_WEIGHTS, [OP_FORK] = 12, [OP_EXIT] = 9, [OP_MADVISE] = 12, [OP_SWEEP] = 10, [OP_READ] = 2, [OP_WRITE] = 1 } },
};
#pragma GCC diagnostic pop
enum { STYLES = sizeof styles / sizeof *styles };

/* ---- ranges ------------------------------------------------------------------------------------------------------------------------------- */

static void remember(struct source *s, unsigned long at, unsigned long length)
{
	s->recent[s->nrecent++ % RECENT] = (struct range){ at, length };
}

static unsigned long in_bytes(unsigned long n) { return n << PAGE_SHIFT; }

/* Whole leaf tables, or one with a bit more or less. */
static struct range dense_range(struct source *s)
{
	unsigned tables = s->window / TABLE_PAGES;
	unsigned long first = below(s, tables), n = 1 + below(s, 3);
	struct range r = { in_bytes(first * TABLE_PAGES), in_bytes(n * TABLE_PAGES) };

	if (one_in(s, 4))
		r.at += in_bytes(below(s, 3)), r.length += in_bytes(below(s, 5));
	return r;
}

static struct range fresh_range(struct source *s)
{
	unsigned long most = one_in(s, 4) ? LONGEST : 5;

	if (s->style->dense && one_in(s, 2))
		return dense_range(s);
	return (struct range){ in_bytes(below(s, s->window)), in_bytes(1 + below(s, most)) };
}

static struct range any_range(struct source *s)
{
	if (s->nrecent == 0 || one_in(s, 3))
		return fresh_range(s);
	struct range r = s->recent[below(s, s->nrecent < RECENT ? s->nrecent : RECENT)];
	unsigned long npages = (r.length + PAGE_MASK) >> PAGE_SHIFT, skip;

	switch (below(s, 4)) {
	case 0:
		return r;
	case 1:				/* to its end, or a page more */
		skip = below(s, npages);
		return (struct range){ r.at + in_bytes(skip), in_bytes(npages - skip + below(s, 2)) };
	default:
		skip = below(s, npages);
		return (struct range){ r.at + in_bytes(skip), in_bytes(1 + below(s, npages - skip)) };
	}
}

static unsigned long any_byte(struct source *s)
{
	/* The stack's place: at the arena's end. */
	if (one_in(s, 8))
		return in_bytes(s->window + ARENA_STACK - 44) + below(s, in_bytes(44));
	struct range r = any_range(s);

	return r.at + below(s, PAGE_SIZE);
}

/* Lengths are not always whole pages; now and then a length or an address is impossible. */
static void put_range(struct source *s, unsigned long *a, struct range r)
{
	static const unsigned long odd[] = { 0, 1, USER_MAX, USER_MAX + 1, (unsigned long)1 << 40, -PAGE_SIZE, -(unsigned long)1 };

	a[0] = r.at;
	a[1] = r.length - (one_in(s, 4) ? below(s, PAGE_SIZE) : 0);
	if (one_in(s, 100))
		a[1] = odd[below(s, sizeof odd / sizeof *odd)];
	if (one_in(s, 100))
		a[0] += below(s, PAGE_SIZE);
}

/* ---- arguments ------------------------------------------------------------------------------------------------------------------------------ */

static unsigned any_rights(struct source *s)
{
	static const unsigned usual[] = { VM_READ, VM_READ | VM_WRITE, VM_READ | VM_WRITE, VM_READ | VM_WRITE, VM_READ | VM_EXEC, 0 };

	return one_in(s, 6) ? (unsigned)below(s, 8) : usual[below(s, 6)];
}

static unsigned any_mmap_flags(struct source *s)
{
	static const unsigned rare[] = { MAP_32BIT, MAP_NORESERVE, MAP_POPULATE, MAP_STACK, MAP_NONBLOCK, MAP_GROWSDOWN, MAP_GROWSDOWN };
	unsigned flags = one_in(s, 3) ? MAP_SHARED : MAP_PRIVATE;

	if (one_in(s, 60))
		flags = (unsigned)below(s, 4);
	if (!one_in(s, 3))
		flags |= one_in(s, 5) ? MAP_FIXED_NOREPLACE : MAP_FIXED;
	if (one_in(s, 6))
		flags |= rare[below(s, sizeof rare / sizeof *rare)];
	return flags;
}

static void make_mmap(struct source *s, unsigned long *a)
{
	struct range r = fresh_range(s);

	put_range(s, a, r);
	a[2] = any_rights(s);
	a[3] = any_mmap_flags(s);
	a[4] = one_in(s, s->style->dense ? 6 : 2) ? 1 + below(s, FILES) : 0;
	a[5] = a[4] ? below(s, FILE_PAGES / 2) : 0;
	if (a[4])
		a[3] &= ~(unsigned long)MAP_GROWSDOWN;
	if (s->style->dense && !a[4] && !one_in(s, 4)) {
		a[2] = VM_READ | VM_WRITE;
		a[3] = MAP_PRIVATE | MAP_FIXED;
	}
	if (!(a[3] & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && one_in(s, 2))
		a[0] = 0;
	remember(s, a[0] & ~PAGE_MASK, r.length);
}

static void make_mremap(struct source *s, unsigned long *a)
{
	static const unsigned flags[] = { 0, MREMAP_MAYMOVE, MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_FIXED,
		MREMAP_MAYMOVE | MREMAP_DONTUNMAP, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP };
	struct range to = one_in(s, 3) ? any_range(s) : fresh_range(s);

	put_range(s, a, any_range(s));
	a[2] = to.length;
	a[3] = one_in(s, 40) ? below(s, 16) : flags[below(s, sizeof flags / sizeof *flags)];
	a[4] = to.at + (one_in(s, 100) ? below(s, PAGE_SIZE) : 0);
	if (a[3] & MREMAP_DONTUNMAP || one_in(s, 3))
		a[2] = a[1];
	if (one_in(s, 12))
		a[1] = 0;
	remember(s, to.at, to.length);
}

static void make_madvise(struct source *s, unsigned long *a)
{
	static const unsigned char usual[] = { MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_FREE, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_POPULATE_WRITE, MADV_REMOVE, MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
		MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_DONTNEED_LOCKED };

	put_range(s, a, any_range(s));
	a[2] = one_in(s, 16) ? below(s, 28) : usual[below(s, sizeof usual)];
}

static void make_transfer(struct source *s, unsigned long *a)
{
	struct range r = any_range(s);

	a[0] = below(s, FILES);
	a[1] = in_bytes(below(s, FILE_PAGES)) + (one_in(s, 2) ? below(s, PAGE_SIZE) : 0);
	a[2] = r.at + (one_in(s, 2) ? below(s, PAGE_SIZE) : 0);
	a[3] = one_in(s, 3) ? PAGE_SIZE : below(s, 3 * PAGE_SIZE);
}

static void make_arguments(struct source *s, struct step *step)
{
	unsigned long *a = step->a;

	switch (step->op) {
	case OP_MMAP:
		make_mmap(s, a);
		break;
	case OP_MREMAP:
		make_mremap(s, a);
		break;
	case OP_MADVISE:
		make_madvise(s, a);
		break;
	case OP_MPROTECT:
		a[2] = any_rights(s);	/* fall through */
	case OP_MUNMAP:
		put_range(s, a, any_range(s));
		break;
	case OP_MLOCK:
		put_range(s, a, any_range(s));
		a[2] = below(s, 4);
		break;
	case OP_MSYNC:
		put_range(s, a, any_range(s));
		a[2] = one_in(s, 3);
		break;
	case OP_MINCORE: case OP_SWEEP:
		put_range(s, a, any_range(s));
		a[0] += step->op == OP_SWEEP ? below(s, PAGE_SIZE) : 0;
		a[1] = (a[1] + PAGE_MASK) >> PAGE_SHIFT;
		a[2] = one_in(s, 3) ? FAULT_READ : FAULT_WRITE;
		a[3] = below(s, 256);
		break;
	case OP_TOUCH:
		a[0] = any_byte(s);
		a[1] = one_in(s, 10) ? FAULT_EXEC : one_in(s, 2) ? FAULT_WRITE : FAULT_READ;
		a[2] = below(s, 256);
		break;
	case OP_COPY_IN: case OP_COPY_OUT:
		a[0] = any_byte(s);
		a[1] = below(s, 3 * PAGE_SIZE);
		a[2] = below(s, 256);
		break;
	case OP_READ: case OP_WRITE:
		make_transfer(s, a);
		break;
	case OP_READ_KERNEL: case OP_WRITE_KERNEL:
		make_transfer(s, a);
		a[2] = a[3];
		a[3] = below(s, 256);
		break;
	case OP_BRK:
		a[0] = below(s, in_bytes(30));
		break;
	case OP_PUNCH:
		make_transfer(s, a);
		a[2] = a[3];
		a[3] = 0;
		break;
	case OP_TRUNCATE:
		a[1] = below(s, in_bytes(FILE_PAGES));	/* fall through */
	case OP_SYNC: case OP_RENEW: case OP_RECLAIM:
		a[0] = below(s, 64);
		break;
	default:
		break;
	}
}

/* ---- steps ------------------------------------------------------------------------------------------------------------------------------------ */

static enum op any_op(struct source *s)
{
	unsigned total = 0, op = 0;

	for (unsigned i = 0; i < OPS; i++)
		total += s->style->weight[i];
	for (unsigned pick = (unsigned)below(s, total); pick >= s->style->weight[op]; op++)
		pick -= s->style->weight[op];
	return op;
}

static bool seeks(enum op op)
{
	switch (op) {
	case OP_MUNMAP: case OP_MPROTECT: case OP_MREMAP: case OP_MADVISE: case OP_MSYNC: case OP_MLOCK: case OP_TOUCH: case OP_SWEEP: case OP_COPY_IN: case OP_COPY_OUT:
	case OP_READ: case OP_WRITE:
		return true;
	default:
		return false;
	}
}

static struct step any_step(struct source *s)
{
	struct step step = { .op = any_op(s), .who = (unsigned)below(s, 6) };

	make_arguments(s, &step);
	step.seek = seeks(step.op) && !one_in(s, step.op == OP_TOUCH || step.op == OP_SWEEP ? 8 : 3);
	if (s->style->fail && one_in(s, s->style->fail))
		step.fail = 1 + (unsigned)below(s, 8);
	if (one_in(s, 3))
		step.slow = 1 + (unsigned)below(s, 4);
	if (one_in(s, 24))
		step.io_error = 1 + (unsigned)below(s, 3);
	return step;
}

static struct program generate(struct source *s, unsigned nsteps)
{
	struct program p = { .threads = one_in(s, 3) ? 2 + (unsigned)below(s, 2) : 1, .window = SMALL_WINDOW, .kib = 512u << below(s, 4),
		.policy = one_in(s, 6) ? (unsigned)below(s, 6) : HUGE_ALWAYS };

	s->style = &styles[below(s, STYLES)];
	if (s->style->dense && TABLE_PAGES * 4 > SMALL_WINDOW) {
		p.window = TABLE_PAGES * 4;
		p.kib = 8192u << below(s, 2);
	}
	s->window = p.window;
	p.step = malloc(nsteps * sizeof *p.step);
	while (p.nsteps < nsteps && (!s->bytes || s->left > 0))
		p.step[p.nsteps++] = any_step(s);
	return p;
}

struct program generate_from_seed(uint64_t seed, unsigned nsteps)
{
	return generate(&(struct source){ .state = seed }, nsteps);
}

struct program generate_from_bytes(const uint8_t *bytes, size_t n, unsigned nsteps_at_most)
{
	return generate(&(struct source){ .bytes = bytes, .left = n }, nsteps_at_most);
}
