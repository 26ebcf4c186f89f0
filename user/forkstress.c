/*
 * forkstress - trees of forks that write to shared pages.
 *
 * Each process has the same private memory and a tag for each page of it: what a page must hold follows from its tag, so a process
 * can check every byte that it should see.  What a process writes, its later children see and nobody else does: not its
 * parent, not its siblings, not the children that it made before.  Parents write between forks and while their
 * children run, so that each page is shared, copied and reused in every order.
 *
 * A scoreboard in shared anonymous memory counts who began and who ended: a process that is lost, or runs twice, is seen.
 *
 *	forkstress [--depth N] [--width N] [--pages N] [--rounds N] [--seed N]
 */
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, MAX_NODES = 100000 };

static long depth = 3, width = 3, npages = 48, rounds = 3, seed = 1;

static uint64_t (*memory)[WORDS];	/* private: what the test is about */
static uint64_t *tag;			/* private as well: what memory[i] must hold */
static uint64_t written;		/* pages that this process has written */
static uint64_t state;			/* of the random numbers */

/* Shared by all.  Each node of the tree has a slot of its own. */
static struct score {
	_Atomic uint64_t checked, wrote;	/* pages, by all processes */
	struct { _Atomic uint32_t began, ended; } node[];
} *score;

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t random_below(uint64_t n)
{
	return mix(state += 0x9e3779b97f4a7c15) % n;
}

/* The word of a page with this tag.  Tag 0 is a page that was never written. */
static inline uint64_t expected(uint64_t t, int i)
{
	return t ? (t + (uint64_t)i) * 0x9e3779b97f4a7c15 : 0;
}

static void fail(long node, const char *what, long page)
{
	fprintf(stderr, "forkstress: process %ld of the tree (pid %d): %s", node, getpid(), what);
	if (page >= 0)
		fprintf(stderr, ", page %ld", page);
	fputc('\n', stderr);
	_exit(1);
}

static void write_page(long node, long page)
{
	uint64_t t = mix((uint64_t)node << 32 | ++written) | 1;

	for (int i = 0; i < WORDS; i++)
		memory[page][i] = expected(t, i);
	tag[page] = t;
	score->wrote++;
}

static void write_some(long node, long n)
{
	while (n-- > 0)
		write_page(node, (long)random_below((uint64_t)npages));
}

static void check_all(long node, const char *when)
{
	for (long page = 0; page < npages; page++)
		for (int i = 0; i < WORDS; i++)
			if (memory[page][i] != expected(tag[page], i)) {
				fprintf(stderr, "forkstress: word %d is %#lx, not %#lx\n", i, memory[page][i], expected(tag[page], i));
				fail(node, when, page);
			}
	score->checked += (uint64_t)npages;
}

static void run_node(long node, long level);

/* Waits for the children of one node; each must have exited with 0. */
static void wait_for(long node, long n)
{
	while (n-- > 0) {
		int status;
		pid_t pid = wait(&status);
		if (pid < 0)
			fail(node, "a child is lost", -1);
		if (status) {
			fprintf(stderr, "forkstress: pid %d ended with status %#x\n", pid, status);
			fail(node, "a child failed", -1);
		}
	}
	if (wait(NULL) != -1 || errno != ECHILD)
		fail(node, "there is a child too many", -1);
}

static void make_children(long node, long level)
{
	for (long i = 0; i < width; i++) {
		pid_t pid = fork();
		if (pid < 0) {
			fprintf(stderr, "forkstress: fork: %s\n", strerror(errno));
			fail(node, "cannot fork", -1);
		}
		if (!pid) {
			long child = node * width + i + 1;
			state = mix((uint64_t)seed << 32 | (uint64_t)child);
			run_node(child, level + 1);
			score->node[child].ended++;
			_exit(0);
		}
		write_some(node, npages / 8);		/* the child must not see these, the next one must */
	}
	check_all(node, "wrong byte after forking");
	wait_for(node, width);
}

static void run_node(long node, long level)
{
	score->node[node].began++;
	check_all(node, "wrong byte at the start");
	write_some(node, npages / 4);
	check_all(node, "wrong byte after writing");
	if (level < depth)
		make_children(node, level);
	write_some(node, npages / 4);			/* alone again: pages are reused */
	check_all(node, "wrong byte at the end");
}

static long count_nodes(void)
{
	long n = 0, level = 1;

	for (long d = 0; d <= depth && n <= MAX_NODES; d++, level *= width)
		n += level;
	return n;
}

static void check_score(long nodes, long round)
{
	for (long i = 0; i < nodes; i++) {
		uint32_t began = score->node[i].began, ended = score->node[i].ended;
		if (began != round || ended != round) {
			fprintf(stderr, "forkstress: after %ld rounds process %ld has begun %u times and ended %u times\n", round, i, began, ended);
			exit(1);
		}
	}
}

static void *map(size_t size, int how)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | how, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "forkstress: mmap: %s\n", strerror(errno));
		exit(1);
	}
	return p;
}

static const char usage[] =
	"usage: forkstress [--depth N] [--width N] [--pages N] [--rounds N] [--seed N]\n"
	"Trees of forks that write to shared pages; each process checks every byte it should see.\n"
	"  --depth N    generations below the first process (3)\n"
	"  --width N    children of each (3)\n"
	"  --pages N    private pages that all inherit (48)\n"
	"  --rounds N   trees, one after the other (3)\n"
	"  --seed N     of the random numbers (1)\n"
	"Exit status: 0 if every byte was right and no process was lost, 1 if not, 2 for wrong usage.\n";

static long number(const char *text, long least, long most)
{
	char *end;
	long n = strtol(text, &end, 0);

	if (*end || end == text || n < least || n > most) {
		fprintf(stderr, "forkstress: '%s' is not a number from %ld to %ld\n", text, least, most);
		exit(2);
	}
	return n;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = { { "depth", 1, 0, 'd' }, { "width", 1, 0, 'w' }, { "pages", 1, 0, 'p' },
		{ "rounds", 1, 0, 'r' }, { "seed", 1, 0, 's' }, { "help", 0, 0, 'h' }, { 0 } };
	int o;

	while ((o = getopt_long(argc, argv, "d:w:p:r:s:h", options, NULL)) != -1)
		switch (o) {
		case 'd': depth = number(optarg, 0, 20); break;
		case 'w': width = number(optarg, 1, 1000); break;
		case 'p': npages = number(optarg, 8, 1 << 20); break;
		case 'r': rounds = number(optarg, 1, 1 << 20); break;
		case 's': seed = number(optarg, 0, INT32_MAX); break;
		case 'h': fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(2);
		}
	if (optind < argc || count_nodes() > MAX_NODES) {
		fputs(optind < argc ? usage : "forkstress: that is too large a tree\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	long nodes = count_nodes();
	memory = map((size_t)npages * PAGE, MAP_PRIVATE);
	tag = map((size_t)npages * sizeof *tag, MAP_PRIVATE);
	score = map(sizeof *score + (size_t)nodes * sizeof *score->node, MAP_SHARED);
	state = (uint64_t)seed;

	for (long round = 1; round <= rounds; round++) {
		run_node(0, 0);
		score->node[0].ended++;
		check_score(nodes, round);
	}
	printf("forkstress: %ld processes in %ld trees, %lu pages written, %lu checked: all right\n", nodes * rounds, rounds,
	       (unsigned long)score->wrote, (unsigned long)score->checked);
	return 0;
}
