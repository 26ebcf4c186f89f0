/*
 * racestress - threads of one space that map, unmap, protect, discard, move, truncate, fork and touch the same pages, with every access judged.
 *
 * The memory is a few arenas.  Each has one way in which its mapping changes, and pages on which every thread has one word of its own: it
 * alone writes it, numbers that go up, with the arena, the page and the thread in them.  All other words of a page are what they were when it was made.
 * A page has a sequence number, whose low bits say where it stands:
 *
 *	OPEN -> CLOSING -> the call that takes the page away -> CLOSED -> OPENING -> the call that gives it back -> OPEN
 *
 * Whoever changes a mapping claims the pages so; everybody else goes on writing and reading them in all states, from user mode and by read(2) and
 * write(2).  An access during which the number stood still is judged strictly: OPEN, it must succeed; CLOSED, it must be refused, by the right signal with the right
 * code.  What was written is remembered: a word holds its thread's last number, or zero if the page was thrown away since, exactly.
 *
 * What would show which mistake of a kernel:
 *
 *	protect		mprotect to READ or NONE, and back.  A processor that keeps the old right goes on writing: its thread sees a write succeed while CLOSED,
 *			and who has closed sees words change.  A right that is given too late, or a region seen halfway: refused while OPEN.
 *	unmap		munmap, then new memory.  A missed flush: success while CLOSED; and whoever gets the freed frame (the bait, below) finds foreign words in it.
 *			A frame not cleared, or two threads that each install a frame on the first touch: a word is neither zero nor the last number.
 *	replace		mmap(MAP_FIXED) of a read-only file over the memory, and of memory over the file: old writers must not reach the file, nor read what was there before.
 *	discard		MADV_DONTNEED, with nobody refused: what was written before is gone, what comes later is not lost, and is where other threads see it.
 *	move		mremap to and fro: refused at the old place, every word arrives.
 *	truncate	ftruncate of a shared file, seen through two mappings: SIGBUS beyond the end, zeroes afterwards.
 *	fork		children of the threaded process.  A child's copy must stand still while its parent's threads write on (a right left writable on some processor at
 *			fork), must hold what was written before fork, and what the child writes nobody else sees.  Some children have threads, which copy
 *			the same pages at the same time (a word written between copy and install is lost), and end by exit or exec with these threads running, or by SIGKILL.
 *
 *	the bait	frames that were just taken away are likely the next to be handed out: who has closed pages fills so much new memory, waits, and must find
 *			it as it was.  A page that was freed while a processor could still write to it is seen there.
 *
 * The pages lie side by side, or far apart (regions of several page tables, which fork may share), or one in each table (tables come and go), or in huge pages;
 * some are of private files.  Now and then a thread hands its part to a new thread and waits for that one's end.  When a round ends everything is compared once more.
 *
 *	racestress [--threads N] [--processes N] [--rounds N | --seconds N] [--changes N] [--seed N]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, THREADS_MAX = 64, ARENAS_MAX = 4, PAGES_MAX = 32, BAIT_PAGES = PAGES_MAX + 4, BURST = 64, RACERS = 3, CHANGES_PER_FORK = 8 };
#define RW	(PROT_READ | PROT_WRITE)

/* Arenas lie far below where the kernel puts what has no address of its own: nothing else may come to lie in their holes. */
#define WINDOW		((char *)0x100000000000)
#define ARENA_SIZE	(1ul << 30)
#define VIEW		(ARENA_SIZE / 2)	/* the other place of what moves; the other mapping of a shared file */

static long threads, processes = 1, rounds, seconds, changes = 300, seed = 1;

/* ---- arenas and pages ------------------------------------------------------------------------------------------------------------------ */

enum kind { PROTECT, UNMAP, REPLACE, DISCARD, MOVE, TRUNCATE, FORK, KINDS };
static const struct traits {
	const char *name;
	bool loses;			/* the page is empty when it is open again */
	int signo, code;		/* of an access that is refused while CLOSED; 0: none is */
} traits[KINDS] = {
	[PROTECT] = { "protect", false, SIGSEGV, SEGV_ACCERR },
	[UNMAP] = { "unmap", true, SIGSEGV, SEGV_MAPERR },
	[REPLACE] = { "replace", true, SIGSEGV, SEGV_ACCERR },
	[DISCARD] = { "discard", true, 0, 0 },
	[MOVE] = { "move", false, SIGSEGV, SEGV_MAPERR },
	[TRUNCATE] = { "truncate", true, SIGBUS, BUS_ADRERR },
	[FORK] = { "fork", false, 0, 0 },
};

/* The pages that are used lie `stride` pages apart; a change of a page is one of all up to the next. */
enum layout { DENSE, SPARSE, TABLES, HUGE, LAYOUTS };
static const struct { const char *name; uint32_t npages, stride; } layouts[LAYOUTS] = {
	{ "dense", PAGES_MAX, 1 }, { "sparse", 24, 64 }, { "one a table", 6, 512 }, { "huge", 16, 64 } };

enum state { OPEN, CLOSING, CLOSED, OPENING };

struct page {
	_Atomic uint64_t seq;		/* changes since the start, times 4, and the state */
	_Atomic int closed_to;		/* PROTECT: the rights that are left; changed by who has claimed the page, before CLOSED */
	_Atomic uint64_t sure[THREADS_MAX];	/* of each thread: generation << 32 | a number that it has written in it */
};

static struct arena {
	enum kind kind;
	enum layout layout;
	uint32_t index, npages;
	size_t stride, size;		/* bytes */
	char *base;
	int fd;				/* of the file that is mapped, or -1 */
	int cover;			/* REPLACE: the file that is laid over it */
	struct page page[PAGES_MAX];
} *arenas;
static uint32_t narenas;
static _Atomic long changes_left;

static enum state state_of(uint64_t seq)
{
	return seq & 3;
}

/* What was written in another generation is gone. */
static uint32_t generation(const struct arena *a, uint64_t seq)
{
	return traits[a->kind].loses ? (uint32_t)(seq >> 2) : 0;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* A file's word. */
static uint64_t pattern(const struct arena *a, uint32_t page, uint32_t i)
{
	return mix((uint64_t)a->index << 32 | page << 16 | i) | 1;
}

/* The thread whose word this is, or -1. */
static int owner(uint32_t page, uint32_t i)
{
	return i % 8 == page % 8 && i / 8 < (uint32_t)threads ? (int)(i / 8) : -1;
}

static uint32_t word_of(uint32_t page, uint32_t thread)
{
	return thread * 8 + page % 8;
}

/* What a word holds that nobody has written since the page was made. */
static uint64_t fresh_word(const struct arena *a, uint32_t page, uint32_t i)
{
	return a->fd < 0 || a->kind == TRUNCATE || owner(page, i) >= 0 ? 0 : pattern(a, page, i);
}

static uint64_t stamp(const struct arena *a, uint32_t page, uint32_t thread, uint32_t number)
{
	return (uint64_t)number << 32 | (a->index + 1) << 24 | page << 12 | thread;
}

/* ---- threads --------------------------------------------------------------------------------------------------------------------------- */

/* What a thread knows of its word on a page. */
struct memory {
	uint32_t last, generation;
	bool unsure;			/* the page changed meanwhile: the word has arrived, or went with the old page */
};

/* A part that is played by one thread at a time; nobody else writes here. */
static struct worker {
	uint32_t index, number;
	uint64_t random;
	pthread_t thread;
	struct memory own[ARENAS_MAX][PAGES_MAX];
	/* the access that is being made: it may fail between these addresses */
	sigjmp_buf landing;
	volatile uintptr_t low, high;
	volatile int signo, code;
	volatile uint32_t done;
	uint64_t copy[WORDS];
	uint64_t before[PAGES_MAX][THREADS_MAX], after[ARENAS_MAX][PAGES_MAX][THREADS_MAX + 1];
	uint64_t *bait;
	pid_t child;
	bool killed;			/* the child, by us */
	unsigned long writes, reads, refused, changed, forks;
} *workers;
static __thread struct worker *self;
static int mailbox;			/* a file with a word for each thread, for accesses that the kernel makes */

static uint64_t random_below(uint64_t n)
{
	return mix(self->random += 0x9e3779b97f4a7c15) % n;
}

/* Says what is wrong and ends the process; of several threads one speaks. */
static void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void fail(const char *format, ...)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	char text[600];
	va_list arguments;
	int n;

	if (atomic_flag_test_and_set(&said))
		for (;;)
			pause();
	n = snprintf(text, sizeof text, "racestress: pid %d, thread %d: ", getpid(), self ? (int)self->index : -1);
	va_start(arguments, format);
	n += vsnprintf(text + n, sizeof text - (size_t)n - 40, format, arguments);
	va_end(arguments);
	n += snprintf(text + n, 40, " (--seed %ld)\n", seed);
	if (write(2, text, (size_t)n) != n)
		_exit(3);
	_exit(1);
}

static void must(bool so, const char *what)
{
	if (!so)
		fail("%s: %s", what, strerror(errno));
}

static void fail_at(const struct arena *a, uint32_t page, uint64_t seq, const char *what) __attribute__((noreturn));
static void fail_at(const struct arena *a, uint32_t page, uint64_t seq, const char *what)
{
	static const char *const states[] = { "open", "closing", "closed", "opening" };

	fail("%s; arena %u (%s, %s%s), page %u at %p, change %lu, %s", what, a->index, traits[a->kind].name, layouts[a->layout].name,
	     a->fd >= 0 ? ", of a file" : "", page, (void *)(a->base + page * a->stride), (unsigned long)(seq >> 2), states[state_of(seq)]);
}

static void wrong_word(const struct arena *a, uint32_t page, uint64_t seq, uint32_t i, uint64_t is, uint64_t wanted, const char *what)
{
	char text[160];

	snprintf(text, sizeof text, "%s: word %u (of thread %d) is %#lx, not %#lx", what, i, owner(page, i), (unsigned long)is, (unsigned long)wanted);
	fail_at(a, page, seq, text);
}

/* A little time, in which others run: short ones that a stale right survives, and long ones in which they surely come to it. */
static void linger(void)
{
	uint64_t n = random_below(8);

	if (n < 2)
		for (; n < 2; n++)
			sched_yield();
	else
		for (volatile uint64_t i = random_below(1 << n * 2); i; i--)
			;
}

/* ---- accesses that may be refused -------------------------------------------------------------------------------------------------------- */

static void on_fault(int signo, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;

	if (!self || at < self->low || at >= self->high)
		fail("signal %d, code %d at %p, expected between %#lx and %#lx only; rip %#llx", signo, info->si_code, info->si_addr,
		     self ? (unsigned long)self->low : 0, self ? (unsigned long)self->high : 0,
		     ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP]);
	self->signo = signo;
	self->code = info->si_code;
	siglongjmp(self->landing, 1);
}

/* These make an access; false: it was refused, and self->signo and self->code say how.  store() makes so many, of numbers that go up, and counts them in self->done. */
static bool store(volatile uint64_t *at, uint64_t value, uint32_t times)
{
	struct worker *w = self;

	w->done = 0;
	w->low = (uintptr_t)at;
	w->high = (uintptr_t)(at + 1);
	if (sigsetjmp(w->landing, 0)) {
		w->high = 0;
		return false;
	}
	for (; w->done < times; w->done++)
		*at = value + ((uint64_t)w->done << 32);
	w->high = 0;
	return true;
}

static bool load(volatile const uint64_t *from, uint64_t *to, uint32_t nwords)
{
	struct worker *w = self;

	w->low = (uintptr_t)from;
	w->high = (uintptr_t)(from + nwords);
	if (sigsetjmp(w->landing, 0)) {
		w->high = 0;
		return false;
	}
	for (uint32_t i = 0; i < nwords; i++)
		to[i] = from[i];
	w->high = 0;
	return true;
}

/* A call says EFAULT where a signal would say more. */
static bool called(const struct arena *a, ssize_t result, const char *what)
{
	must(result == 8 || (result < 0 && errno == EFAULT), what);
	self->signo = traits[a->kind].signo;
	self->code = traits[a->kind].code;
	return result == 8;
}

static bool store_by_call(const struct arena *a, uint64_t *at, uint64_t value)
{
	must(pwrite(mailbox, &value, 8, self->index * 8) == 8, "pwrite");
	self->done = called(a, pread(mailbox, at, 8, self->index * 8), "pread into a page");
	return self->done;
}

static bool load_by_call(const struct arena *a, const uint64_t *from, uint64_t *to)
{
	bool done = called(a, pwrite(mailbox, from, 8, self->index * 8), "pwrite from a page");

	must(pread(mailbox, to, 8, self->index * 8) == 8, "pread");
	return done;
}

static uint64_t *address(const struct arena *a, uint32_t page, uint64_t seq)
{
	size_t view = a->kind == MOVE && (seq & 4) ? VIEW : 0;

	if (a->kind == TRUNCATE && self->random & 1)
		view = VIEW;
	return (uint64_t *)(a->base + page * a->stride + view);
}

enum access { READ, WRITE };

/* Was it right that this access was made, or refused, with the page's number `from` before it and `to` after it? */
static void judge(const struct arena *a, uint32_t page, uint64_t from, uint64_t to, enum access access, bool done)
{
	bool readable = a->kind == REPLACE || (a->kind == PROTECT && a->page[page].closed_to == PROT_READ);

	if (!done) {
		self->refused++;
		if (!traits[a->kind].signo)
			fail_at(a, page, from, "an access was refused, which nothing here refuses");
		if (self->signo != traits[a->kind].signo || self->code != traits[a->kind].code)
			fail("an access was refused by signal %d, code %d, not %d, %d; arena %u (%s), page %u", self->signo, self->code,
			     traits[a->kind].signo, traits[a->kind].code, a->index, traits[a->kind].name, page);
	}
	if (a->page[page].seq != to || from != to)		/* closed_to is of this number too */
		return;
	if (state_of(to) == OPEN && !done)
		fail_at(a, page, to, access == WRITE ? "a write was refused while the page was open" : "a read was refused while the page was open");
	if (state_of(to) == CLOSED && done && (access == WRITE || !readable))
		fail_at(a, page, to, access == WRITE ? "a write came through while the page was closed" : "a read came through while the page was closed");
	if (state_of(to) == CLOSED && !done && access == READ && readable)
		fail_at(a, page, to, "a read was refused though the page may be read");
}

/* What our word must hold; `seq`: the page's number, which stood still while it was read. */
static void check_own(struct arena *a, uint32_t page, uint64_t seq, uint64_t is)
{
	const struct memory *m = &self->own[a->index][page];
	uint64_t last = m->last ? stamp(a, page, self->index, m->last) : 0;
	bool gone = m->unsure || m->generation != generation(a, seq), there = m->unsure || !gone;

	self->reads++;
	if (!(there && is == last) && !(gone && is == 0))
		wrong_word(a, page, seq, word_of(page, self->index), is, gone ? 0 : last,
			   m->unsure ? "our word is neither what we wrote nor zero" : gone ? "our word outlived its page" : "our word was lost");
}

/* Some writes to our word.  With PROTECT and MOVE every one that is made counts; else only those that lay in one generation for certain. */
static void visit_write(struct arena *a, uint32_t page)
{
	struct worker *w = self;
	struct memory *m = &w->own[a->index][page];
	uint32_t first = w->number + 1, i = word_of(page, w->index);
	uint64_t from = a->page[page].seq, to;
	uint64_t *at = address(a, page, from) + i;
	bool done = random_below(16) ? store(at, stamp(a, page, w->index, first), 1 + (uint32_t)random_below(BURST))
				     : store_by_call(a, at, stamp(a, page, w->index, first));

	atomic_thread_fence(memory_order_seq_cst);		/* the writes are made: now what does the page say? */
	to = a->page[page].seq;
	w->number = first + w->done;
	w->writes += w->done;
	judge(a, page, from, to, WRITE, done || (w->done && state_of(to) == CLOSED));
	if (!w->done)
		return;
	m->last = w->number - 1;
	m->generation = generation(a, from);
	m->unsure = traits[a->kind].loses && (from != to || state_of(to) != OPEN);
	if (!m->unsure)
		a->page[page].sure[w->index] = (uint64_t)m->generation << 32 | m->last;
}

/* Reads our word. */
static void visit_own(struct arena *a, uint32_t page)
{
	uint32_t i = word_of(page, self->index);
	uint64_t is, from = a->page[page].seq, to;
	const uint64_t *at = address(a, page, from) + i;
	bool done = random_below(16) ? load(at, &is, 1) : load_by_call(a, at, &is);

	to = a->page[page].seq;
	judge(a, page, from, to, READ, done);
	if (!done)
		return;
	if (!traits[a->kind].loses || (from == to && state_of(to) == OPEN))
		check_own(a, page, to, is);
	else if (from == to && state_of(to) == CLOSED && is != pattern(a, page, i))
		wrong_word(a, page, to, i, is, pattern(a, page, i), "the file that was laid over the page");
}

static void check_word(struct arena *a, uint32_t page, uint64_t seq, uint32_t i, uint64_t is, uint64_t sure)
{
	int thread = owner(page, i);
	bool counts = thread >= 0 && sure >> 32 == generation(a, seq) && (uint32_t)sure;

	if (thread < 0) {
		if (is != fresh_word(a, page, i))
			wrong_word(a, page, seq, i, is, fresh_word(a, page, i), "a word that nobody writes");
	} else if ((uint32_t)thread == self->index) {
		check_own(a, page, seq, is);
	} else if (!is) {
		if (counts)
			wrong_word(a, page, seq, i, is, stamp(a, page, (uint32_t)thread, (uint32_t)sure), "another thread's word was lost");
	} else if ((uint32_t)is != (uint32_t)stamp(a, page, (uint32_t)thread, 0)) {
		wrong_word(a, page, seq, i, is, stamp(a, page, (uint32_t)thread, 0), "a word of somewhere else");
	} else if (counts && is >> 32 < (uint32_t)sure) {
		wrong_word(a, page, seq, i, is, stamp(a, page, (uint32_t)thread, (uint32_t)sure), "another thread's word is old");
	}
}

/* Reads the whole page, and each word must be what could be there. */
static void visit_all(struct arena *a, uint32_t page)
{
	struct page *p = &a->page[page];
	uint64_t sure[THREADS_MAX], from = p->seq, to;
	bool done;

	for (long t = 0; t < threads; t++)
		sure[t] = p->sure[t];
	done = load(address(a, page, from), self->copy, WORDS);
	to = p->seq;
	judge(a, page, from, to, READ, done);
	if (!done || from != to || state_of(to) != OPEN)
		return;
	for (uint32_t i = 0; i < WORDS; i++)
		check_word(a, page, to, i, self->copy[i], owner(page, i) >= 0 ? sure[owner(page, i)] : 0);
	self->reads += WORDS - 1;
}

static void visit(struct arena *a)
{
	uint32_t page = (uint32_t)random_below(a->npages);

	switch (random_below(8)) {
	case 0: visit_all(a, page); break;
	case 1: case 2: visit_own(a, page); break;
	default: visit_write(a, page); break;
	}
}

/* ---- changes of a mapping ------------------------------------------------------------------------------------------------------------------ */

static void map_fixed(char *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *p = mmap(at, size, prot, MAP_FIXED | flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, fd < 0 ? 0 : offset);

	must(p != MAP_FAILED, "mmap");
	if (p != at)
		fail("mmap(MAP_FIXED) went to %p, not %p", p, (void *)at);
}

static void map_pages(const struct arena *a, uint32_t first, uint32_t n)
{
	char *at = a->base + first * a->stride;

	map_fixed(at, n * a->stride, RW, a->kind == TRUNCATE ? MAP_SHARED : MAP_PRIVATE, a->fd, (off_t)(first * a->stride));
	if (a->layout == HUGE)
		madvise(at, n * a->stride, MADV_HUGEPAGE);	/* a kernel without them has small pages */
}

/* Claims a run of open pages; returns how many.  What moves must come from one place; a file is truncated up to its end. */
static uint32_t claim(struct arena *a, uint32_t *first)
{
	uint32_t most, n;
	uint64_t seq, place = 0;

	*first = (uint32_t)random_below(a->npages);
	most = a->npages - *first;
	if (a->kind != TRUNCATE)
		most = 1 + (uint32_t)random_below(most);
	for (n = 0; n < most; n++) {
		seq = a->page[*first + n].seq;
		if (n == 0)
			place = seq & 4;
		if (state_of(seq) != OPEN || (a->kind == MOVE && (seq & 4) != place) ||
		    !atomic_compare_exchange_strong(&a->page[*first + n].seq, &seq, seq + CLOSING))
			break;
	}
	if (a->kind != TRUNCATE || n == most)
		return n;
	while (n)
		a->page[*first + --n].seq -= CLOSING;
	return 0;
}

static void advance(struct arena *a, uint32_t first, uint32_t n, unsigned states)
{
	for (uint32_t i = first; i < first + n; i++)
		a->page[i].seq += states;
}

/* What was moved in pieces may be several regions, which mremap moves one at a time only. */
static void move(const struct arena *a, uint32_t first, uint32_t n)
{
	size_t to = a->page[first].seq & 4 ? 0 : VIEW, from = VIEW - to;
	char *at = a->base + first * a->stride;

	if (mremap(at + from, n * a->stride, n * a->stride, MREMAP_MAYMOVE | MREMAP_FIXED, at + to) == at + to)
		return;
	must(errno == EFAULT && n > 1, "mremap");
	for (uint32_t i = 0; i < n; i++, at += a->stride)
		must(mremap(at + from, a->stride, a->stride, MREMAP_MAYMOVE | MREMAP_FIXED, at + to) == at + to, "mremap of one page");
}

static void close_pages(struct arena *a, uint32_t first, uint32_t n)
{
	char *at = a->base + first * a->stride;
	int prot = random_below(4) ? PROT_READ : PROT_NONE;

	switch (a->kind) {
	case PROTECT:
		for (uint32_t i = first; i < first + n; i++)
			a->page[i].closed_to = prot;
		must(mprotect(at, n * a->stride, prot) == 0, "mprotect to fewer rights");
		break;
	case UNMAP: must(munmap(at, n * a->stride) == 0, "munmap"); break;
	case REPLACE: map_fixed(at, n * a->stride, PROT_READ, MAP_SHARED, a->cover, (off_t)(first * a->stride)); break;
	case DISCARD: must(madvise(at, n * a->stride, MADV_DONTNEED) == 0, "madvise"); break;
	case MOVE: move(a, first, n); break;
	case TRUNCATE: must(ftruncate(a->fd, (off_t)(first * a->stride)) == 0, "ftruncate"); break;
	case FORK: case KINDS: break;
	}
}

static void open_pages(struct arena *a, uint32_t first, uint32_t n)
{
	switch (a->kind) {
	case PROTECT: must(mprotect(a->base + first * a->stride, n * a->stride, RW) == 0, "mprotect to all rights"); break;
	case UNMAP: case REPLACE: map_pages(a, first, n); break;
	case TRUNCATE: must(ftruncate(a->fd, (off_t)a->size) == 0, "ftruncate"); break;
	default: break;
	}
}

/* The threads' words of a page, into one of self->after; the last says whether it can be read. */
static uint64_t *snapshot(struct arena *a, uint32_t page, uint64_t *to)
{
	uint64_t seq = a->page[page].seq;
	const uint64_t *at = address(a, page, a->kind == MOVE && state_of(seq) == CLOSED ? seq ^ 4 : seq);

	memset(to, 0, (THREADS_MAX + 1) * sizeof *to);
	to[THREADS_MAX] = load(at, self->copy, WORDS);
	for (uint32_t t = 0; to[THREADS_MAX] && t < (uint32_t)threads; t++)
		to[t] = self->copy[word_of(page, t)];
	return to;
}

static void compare_snapshot(struct arena *a, uint32_t page, const char *what)
{
	uint64_t now[THREADS_MAX + 1], *was = self->after[a->index][page];

	snapshot(a, page, now);
	if (now[THREADS_MAX] != was[THREADS_MAX])
		fail_at(a, page, a->page[page].seq, "a page that could be read cannot any more, or the reverse");
	for (uint32_t t = 0; t < (uint32_t)threads; t++)
		if (now[t] != was[t])
			wrong_word(a, page, a->page[page].seq, word_of(page, t), now[t], was[t], what);
	self->reads += (unsigned long)threads;
}

static void stand_still(struct arena *a, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n; i++)
		snapshot(a, i, self->after[a->index][i]);
	linger();
	for (uint32_t i = first; i < first + n; i++)
		compare_snapshot(a, i, "a word changed while the page was closed");
}

/* Others may write already, if they have slept since the pages were here the last time: but our words are ours. */
static void has_arrived(struct arena *a, uint32_t first, uint32_t n)
{
	uint64_t to[THREADS_MAX + 1];

	linger();
	for (uint32_t i = first; i < first + n; i++)
		check_own(a, i, a->page[i].seq, snapshot(a, i, to)[self->index]);
}

/* New memory, likely of the frames that n pages have just lost: nobody else writes there. */
static void lay_bait(const struct arena *a, uint32_t n)
{
	uint64_t *p = self->bait, tag = mix(self->random);

	n += 4;
	for (uint32_t i = 0; i < n * WORDS; i++) {
		if (p[i])
			fail("word %u of new memory is %#lx, not zero, after a change of arena %u (%s)", i, (unsigned long)p[i], a->index, traits[a->kind].name);
		p[i] = tag + i;
	}
	linger();
	for (uint32_t i = 0; i < n * WORDS; i++)
		if (p[i] != tag + i)
			fail("word %u of new memory that only we know is %#lx, not %#lx, after a change of arena %u (%s)", i, (unsigned long)p[i],
			     (unsigned long)(tag + i), a->index, traits[a->kind].name);
	self->reads += n * WORDS;
	must(madvise(p, n * PAGE, MADV_DONTNEED) == 0, "madvise of the bait");
}

static void change(struct arena *a)
{
	uint32_t first, n = claim(a, &first);

	if (!n)
		return;
	close_pages(a, first, n);
	if (a->kind == DISCARD) {
		advance(a, first, n, OPEN + 4 - CLOSING);
	} else {
		advance(a, first, n, CLOSED - CLOSING);
		if (a->kind == PROTECT)
			stand_still(a, first, n);
		else if (a->kind == MOVE)
			has_arrived(a, first, n);
	}
	if (traits[a->kind].loses)
		lay_bait(a, n);
	if (a->kind != DISCARD) {
		advance(a, first, n, OPENING - CLOSED);
		open_pages(a, first, n);
		advance(a, first, n, OPEN + 4 - OPENING);
	}
	self->changed++;
	changes_left--;
}

/* ---- children: in them nothing changes but what they change ------------------------------------------------------------------------------------ */

static void reap(void)
{
	int status;

	if (!self->child)
		return;
	self->killed = !random_below(8);
	if (self->killed)
		kill(self->child, SIGKILL);
	must(waitpid(self->child, &status, 0) == self->child, "waitpid");
	if (status && !(self->killed && status == SIGKILL))
		fail("child %d ended with status %#x", self->child, status);
	self->child = 0;
}

/* The private arenas, whose pages are the child's own.  What others think of a page's number was copied with everything else: OPEN means that the page is there. */
#define for_private_pages(a, page) \
	for (struct arena *a = arenas; a < arenas + narenas; a++) \
		for (uint32_t page = 0; a->kind != TRUNCATE && page < a->npages; page++)

static bool is_open(const struct arena *a, uint32_t page)
{
	return state_of(a->page[page].seq) == OPEN;
}

/* At the child's start: our own words, which nobody was writing, and of the arena under test what others had written before. */
static void child_first_look(struct arena *under_test)
{
	for_private_pages(a, page) {
		uint64_t *words = snapshot(a, page, self->after[a->index][page]), seq = a->page[page].seq;
		if (!is_open(a, page))
			continue;
		if (!words[THREADS_MAX])
			fail_at(a, page, seq, "a child cannot read a page that was open");
		check_own(a, page, seq, words[self->index]);
		for (uint32_t t = 0; a == under_test && t < (uint32_t)threads; t++)
			check_word(a, page, seq, word_of(page, t), words[t], self->before[page][t]);
	}
}

static void child_looks_again(const char *what)
{
	for_private_pages(a, page)
		compare_snapshot(a, page, what);
}

/* Every thread's word becomes one of ours: nobody but us may see it. */
static void child_writes(void)
{
	for_private_pages(a, page) {
		if (!is_open(a, page))
			continue;
		for (uint32_t t = 0; t < (uint32_t)threads; t++) {
			uint64_t mine = (uint64_t)getpid() << 32 | 0xbad;
			address(a, page, a->page[page].seq)[word_of(page, t)] = mine;
			self->after[a->index][page][t] = mine;
		}
	}
}

enum { RACER_ROUNDS = 20 };
struct racer {
	struct arena *arena;
	uint32_t index, rounds;
};

static uint64_t racer_word(uint64_t round, uint32_t index)
{
	return round << 8 | index;
}

/* A thread of a child: its words, on pages that the others copy at the same time. */
static void *race(void *argument)
{
	struct racer *r = argument;

	for (uint64_t round = 1; round <= r->rounds; round++)
		for (uint32_t page = 0; page < r->arena->npages; page++) {
			volatile uint64_t *at = (uint64_t *)(r->arena->base + page * r->arena->stride) + WORDS - 8 * (1 + r->index) + page % 8;
			if (round > 1 && *at != racer_word(round - 1, r->index))
				fail_at(r->arena, page, 0, "a word of a child's thread was lost");
			*at = racer_word(round, r->index);
		}
	return NULL;
}

static void child_threads(struct arena *a)
{
	static struct racer racers[RACERS];
	pthread_t thread[RACERS];
	uint64_t end = random_below(4);

	for (uint32_t i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){ a, i, end < 2 ? RACER_ROUNDS : UINT32_MAX };
		must(!(errno = pthread_create(&thread[i], NULL, race, &racers[i])), "pthread_create in a child");
	}
	if (end == 2) {
		linger();
		_exit(0);
	}
	if (end == 3) {
		linger();
		execl("/bin/true", "true", (char *)NULL);
		must(false, "/bin/true");
	}
	for (uint32_t i = 0; i < RACERS; i++)
		pthread_join(thread[i], NULL);
	for (uint32_t page = 0; page < a->npages; page++)
		for (uint32_t i = 0; i < RACERS; i++)
			if (((uint64_t *)(a->base + page * a->stride))[WORDS - 8 * (1 + i) + page % 8] != racer_word(RACER_ROUNDS, i))
				fail_at(a, page, 0, "a word of a child's thread was lost in the end");
}

static void fork_here(struct arena *a, int level);

static void child(struct arena *a, int level)
{
	self->child = 0;
	self->random ^= mix((uint64_t)getpid());
	if (level == 0)
		child_first_look(a);
	for (uint64_t looks = 1 + random_below(4); looks; looks--) {
		linger();
		child_looks_again("a child's word changed, which only others write");
	}
	if (random_below(2)) {
		child_writes();
		linger();
		child_looks_again("a child's word is not what it wrote");
	}
	if (level == 0 && !random_below(4)) {
		fork_here(a, level + 1);
		child_writes();
		reap();
		child_looks_again("a child's word is not what it wrote, with a child of its own");
	}
	if (!random_below(3))
		child_threads(a);
	_exit(0);
}

static void fork_here(struct arena *a, int level)
{
	for (uint32_t page = 0; level == 0 && page < a->npages; page++)
		for (long t = 0; t < threads; t++)
			self->before[page][t] = a->page[page].sure[t];
	self->child = fork();
	must(self->child >= 0, "fork");
	if (!self->child)
		child(a, level);
	self->forks++;
	changes_left -= CHANGES_PER_FORK;
}

/* ---- a round ----------------------------------------------------------------------------------------------------------------------------- */

static void take_steps(long n);

static void *stand_in(void *part)
{
	self = part;
	take_steps(100);
	return NULL;
}

/* A new thread plays our part for a while. */
static void hand_over(void)
{
	pthread_t thread;

	must(!(errno = pthread_create(&thread, NULL, stand_in, self)), "pthread_create");
	pthread_join(thread, NULL);
}

static void take_steps(long n)
{
	for (; n && changes_left > 0; n--) {
		struct arena *a = &arenas[random_below(narenas)];
		if (!random_below(512))
			hand_over();
		if (random_below(16)) {
			visit(a);
		} else if (a->kind != FORK) {
			change(a);
		} else if (!random_below(8)) {
			reap();
			fork_here(a, 0);
		}
	}
}

static void *play(void *part)
{
	self = part;
	take_steps(LONG_MAX);
	reap();
	return NULL;
}

static int file_of(const struct arena *a, size_t size, bool empty)
{
	int fd = memfd_create("racestress", MFD_CLOEXEC);
	uint64_t words[WORDS];

	must(fd >= 0 && ftruncate(fd, (off_t)size) == 0, "memfd_create");
	for (uint32_t page = 0; !empty && page < a->npages; page++) {
		for (uint32_t i = 0; i < WORDS; i++)
			words[i] = a->kind != REPLACE && owner(page, i) >= 0 ? 0 : pattern(a, page, i);
		must(pwrite(fd, words, PAGE, (off_t)(page * a->stride)) == PAGE, "pwrite of a file");
	}
	return fd;
}

static void make_arena(struct arena *a, enum kind kind)
{
	enum layout layout = (enum layout)random_below(LAYOUTS);
	uint32_t index = (uint32_t)(a - arenas);
	bool of_file = kind == TRUNCATE || (layout != HUGE && kind != REPLACE && !random_below(3));

	memset(a, 0, sizeof *a);
	*a = (struct arena){ .kind = kind, .layout = layout, .index = index, .npages = layouts[layout].npages, .stride = layouts[layout].stride * PAGE,
		.base = WINDOW + index * ARENA_SIZE, .fd = -1, .cover = -1 };
	a->size = a->npages * a->stride;
	if (of_file)
		a->fd = file_of(a, a->size, kind == TRUNCATE);
	if (kind == REPLACE)
		a->cover = file_of(a, a->size, false);
	map_pages(a, 0, a->npages);
	if (kind == TRUNCATE)
		map_fixed(a->base + VIEW, a->size, RW, MAP_SHARED, a->fd, 0);
}

static void drop_arena(struct arena *a)
{
	must(munmap(a->base, a->size) == 0, "munmap of an arena");
	if (a->kind == TRUNCATE || a->kind == MOVE)
		must(munmap(a->base + VIEW, a->size) == 0, "munmap of the other view");
	if (a->fd >= 0)
		close(a->fd);
	if (a->cover >= 0)
		close(a->cover);
}

/* Nobody else is there any more: each thread's word is what this thread knows, and the file that was laid over the pages is unchanged. */
static void check_all(void)
{
	uint64_t words[WORDS];

	for (long t = 0; t < threads; t++) {
		self = &workers[t];
		for (struct arena *a = arenas; a < arenas + narenas; a++)
			for (uint32_t page = 0; page < a->npages; page++)
				visit_all(a, page);
	}
	self = &workers[0];
	for (struct arena *a = arenas; a < arenas + narenas; a++)
		for (uint32_t page = 0; a->kind == REPLACE && page < a->npages; page++) {
			must(pread(a->cover, words, PAGE, (off_t)(page * a->stride)) == PAGE, "pread of a file");
			for (uint32_t i = 0; i < WORDS; i++)
				if (words[i] != pattern(a, page, i))
					wrong_word(a, page, a->page[page].seq, i, words[i], pattern(a, page, i), "a write came through to the file laid over the page");
		}
}

/* Every second round is of one kind only, and the kinds take turns; the others are of all. */
static void run_round(long round)
{
	for (long t = 0; t < threads; t++) {
		struct worker *w = &workers[t];
		memset(w->own, 0, sizeof w->own);
		w->number = 0;
		w->random = mix((uint64_t)seed << 40 ^ (uint64_t)round << 8 ^ (uint64_t)t);
	}
	self = &workers[0];
	narenas = round % 2 ? ARENAS_MAX : 1 + (uint32_t)random_below(ARENAS_MAX);
	for (uint32_t i = 0; i < narenas; i++)
		make_arena(&arenas[i], (enum kind)(round % 2 ? random_below(KINDS) : (uint64_t)round / 2 % KINDS));
	changes_left = changes;
	for (long t = 0; t < threads; t++)
		must(!(errno = pthread_create(&workers[t].thread, NULL, play, &workers[t])), "pthread_create");
	for (long t = 0; t < threads; t++)
		pthread_join(workers[t].thread, NULL);
	check_all();
	for (uint32_t i = 0; i < narenas; i++)
		drop_arena(&arenas[i]);
}

static void *map_new(size_t size)
{
	void *p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

static void prepare(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	arenas = map_new(ARENAS_MAX * sizeof *arenas);
	workers = map_new((size_t)threads * sizeof *workers);
	for (long t = 0; t < threads; t++) {
		workers[t].index = (uint32_t)t;
		workers[t].bait = map_new(BAIT_PAGES * PAGE);
	}
	mailbox = memfd_create("mailbox", MFD_CLOEXEC);
	must(mailbox >= 0 && ftruncate(mailbox, threads * 8) == 0, "memfd_create");
}

static void run(void)
{
	time_t end = time(NULL) + seconds;
	struct worker sum = { 0 };
	long round = 0;

	prepare();
	while (seconds ? time(NULL) < end : round < rounds)
		run_round(round++);
	for (long t = 0; t < threads; t++) {
		sum.writes += workers[t].writes;
		sum.reads += workers[t].reads;
		sum.refused += workers[t].refused;
		sum.changed += workers[t].changed;
		sum.forks += workers[t].forks;
	}
	printf("racestress: %ld threads, %ld rounds, %lu words written, %lu checked, %lu accesses refused, %lu changes of mappings, %lu forks: all right\n",
	       threads, round, sum.writes, sum.reads, sum.refused, sum.changed, sum.forks);
}

/* Several of it at once; each says for itself what it has done. */
static void run_processes(void)
{
	int status, failed = 0;

	for (long i = 0; i < processes; i++, seed++) {
		pid_t pid = fork();
		must(pid >= 0, "fork");
		if (!pid) {
			run();
			exit(0);
		}
	}
	for (long i = 0; i < processes; i++) {
		must(wait(&status) > 0, "wait");
		failed |= status;
	}
	exit(failed ? 1 : 0);
}

static const char usage[] =
	"usage: racestress [--threads N] [--processes N] [--rounds N | --seconds N] [--changes N] [--seed N]\n"
	"Threads that map, unmap, protect, discard, move, truncate, fork and touch the same pages; every access is judged.\n"
	"  --threads N    of one space (two for each processor, at least 4; at most 64)\n"
	"  --processes N  so many of it at once (1)\n"
	"  --rounds N     one after the other, each with other memory (14: each kind of change alone, and mixtures)\n"
	"  --seconds N    rounds for so long\n"
	"  --changes N    changes of mappings in a round; a fork counts as 8 (300)\n"
	"  --seed N       of the random numbers (1)\n"
	"Exit status: 0 if all was right, 1 if not, 2 for wrong usage.\n";

static long number(const char *text, long least, long most)
{
	char *end;
	long n = strtol(text, &end, 0);

	if (*end || end == text || n < least || n > most) {
		fprintf(stderr, "racestress: '%s' is not a number from %ld to %ld\n", text, least, most);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "threads", 1, 0, 't' }, { "processes", 1, 0, 'p' }, { "rounds", 1, 0, 'r' }, { "seconds", 1, 0, 'S' },
		{ "changes", 1, 0, 'c' }, { "seed", 1, 0, 's' }, { "help", 0, 0, 'h' }, { 0 } };
	int o;

	rounds = 2 * KINDS;
	threads = 2 * sysconf(_SC_NPROCESSORS_ONLN);
	threads = threads < 4 ? 4 : threads > THREADS_MAX ? THREADS_MAX : threads;
	while ((o = getopt_long(argc, argv, "t:p:r:S:c:s:h", options, NULL)) != -1)
		switch (o) {
		case 't': threads = number(optarg, 1, THREADS_MAX); break;
		case 'p': processes = number(optarg, 1, 64); break;
		case 'r': rounds = number(optarg, 1, INT32_MAX); break;
		case 'S': seconds = number(optarg, 1, INT32_MAX); break;
		case 'c': changes = number(optarg, 1, INT32_MAX); break;
		case 's': seed = number(optarg, 0, INT32_MAX); break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	if (optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	if (processes > 1)
		run_processes();
	run();
	return 0;
}
