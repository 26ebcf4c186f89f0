/*
 * memstress - takes all memory, in several ways, again and again.
 *
 * Beside each way stands a witness, a process with memory that it knows every word of: whoever takes too much is refused or killed, the witness
 * never is, and finds what it has written.  Those who take say that they are the ones to be killed (oom_score_adj).
 *
 *	memstress [--rounds N] [--seed N] [--file FILE] [--beside]
 *
 * FILE has lines of 16 bytes, each the line's number (seq -f %015.0f 0 N): it is read while less memory is left than it has.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, LINE = 16, WITNESS_PAGES = 256, BLOCK = 16 * PAGE };

static long rounds = 1, seed = 1;
static const char *file;
static int beside;				/* others take memory at the same time: any way may be killed for that */
static uint64_t state;
static unsigned long killed, refused, files_read, files_filled;

static uint64_t random_below(uint64_t n)
{
	uint64_t x = state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (x ^ x >> 31) % n;
}

static void fail(const char *what)
{
	fprintf(stderr, "memstress: %s (seed %ld, errno %d: %s)\n", what, seed, errno, strerror(errno));
	exit(1);
}

static void must(int so, const char *what)
{
	if (!so)
		fail(what);
}

static size_t ram(void)
{
	struct sysinfo s;

	must(sysinfo(&s) == 0, "sysinfo");
	return s.totalram * s.mem_unit;
}

static size_t free_ram(void)
{
	struct sysinfo s;

	must(sysinfo(&s) == 0, "sysinfo");
	return s.freeram * s.mem_unit;
}

static void take_me_first(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	must(fd >= 0 && write(fd, "1000", 4) == 4, "oom_score_adj");
	close(fd);
}

static uint64_t *map(size_t size, int how)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_NORESERVE | how, -1, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

/* One word of each page says which it is, another whose. */
static void tag(uint64_t *p, size_t npages, uint64_t whose)
{
	for (size_t i = 0; i < npages; i++) {
		p[i * WORDS + i % WORDS] = i + whose;
		p[i * WORDS + (i + 7) % WORDS] = ~i;
	}
}

static int tagged(const uint64_t *p, size_t npages, uint64_t whose)
{
	for (size_t i = 0; i < npages; i++)
		if (p[i * WORDS + i % WORDS] != i + whose || p[i * WORDS + (i + 7) % WORDS] != ~i)
			return 0;
	return 1;
}

static int status_of(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		must(errno == EINTR, "waitpid");
	return status;
}

/* ---- ways to take memory: each runs in a process of its own ----------------------------------------------------------------------- */

static void private_memory(void)
{
	size_t size = 2 * ram();
	tag(map(size, MAP_PRIVATE), size / PAGE, 0);
}

static void shared_memory(void)
{
	size_t size = 2 * ram();
	tag(map(size, MAP_SHARED), size / PAGE, 0);
}

/* One page for each page table. */
static void page_tables(void)
{
	size_t reach = 2 << 20, size = ram() / PAGE * 2 * reach;
	volatile char *p = (volatile char *)map(size, MAP_PRIVATE);

	for (size_t i = 0; i < size; i += reach)
		(void)p[i];
}

/* Children that each copy what they have inherited. */
static void copies(void)
{
	size_t npages = ram() / 6 / PAGE;
	uint64_t *p = map(npages * PAGE, MAP_PRIVATE);

	tag(p, npages, 1);
	for (uint64_t i = 2; i < 12; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			must(tagged(p, npages, 1), "a copy has its parent's words");
			tag(p, npages, i);
			must(tagged(p, npages, i), "a copy has its own words");
			pause();
		}
		if (pid < 0)
			break;
	}
	must(tagged(p, npages, 1), "the original has its words");
	exit(0);
}

static void pipes(void)
{
	static char block[65536];
	int ends[2], n = 0;

	for (; pipe2(ends, O_NONBLOCK) == 0; n++)
		if (write(ends[1], block, sizeof block) < 0)
			break;
	must(errno == EMFILE || errno == ENOMEM || errno == EAGAIN || errno == ENFILE, "a pipe is refused");
	exit(0);
}

/* Takes all but `keep` bytes. */
static void leave_only(size_t keep)
{
	size_t left = free_ram(), npages = left > keep ? (left - keep) / PAGE : 0;

	if (npages)
		tag(map(npages * PAGE, MAP_PRIVATE), npages, 5);
}

static void fill_files(void)
{
	static char block[BLOCK];
	char name[64];
	int n = 0, fd;

	leave_only(ram() / (2 + random_below(6)));
	for (; n < 1000; n++) {
		snprintf(name, sizeof name, "/tmp/memstress.%d.%d", getpid(), n);
		fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0600);
		if (fd < 0)
			break;
		memset(block, n, sizeof block);
		ssize_t done = 0, wrote;
		do
			done += wrote = write(fd, block, 1 + random_below(sizeof block));
		while (wrote > 0 && done < 1 << 20);
		close(fd);
		if (wrote < 0)
			break;
	}
	must(errno == ENOSPC || errno == ENOMEM, "a file is refused");
	for (; n >= 0; n--) {
		snprintf(name, sizeof name, "/tmp/memstress.%d.%d", getpid(), n);
		fd = open(name, O_RDWR);
		for (ssize_t got; fd >= 0 && (got = read(fd, block, PAGE)) > 0; )
			must(block[0] == (char)n && block[got - 1] == (char)n, "a file has its bytes");
		must(fd < 0 || ftruncate(fd, 1 << 19) == 0 || errno == ENOSPC, "a file can be cut");
		close(fd);
		unlink(name);
	}
	exit(0);
}

static void check_lines(const char *page, unsigned long at)
{
	must(strtoul(page, NULL, 10) == at * (PAGE / LINE) && strtoul(page + PAGE - LINE, NULL, 10) == (at + 1) * (PAGE / LINE) - 1, "a page of the file is right");
}

/* More of a file than there is memory: read forwards, then mapped in windows from the end. */
static void large_file(void)
{
	static char block[PAGE + 1];
	int fd = open(file, O_RDONLY);
	struct stat st;
	unsigned long npages, i;

	must(fd >= 0 && fstat(fd, &st) == 0, file);
	npages = (unsigned long)st.st_size / PAGE;
	leave_only((size_t)st.st_size / 2);
	for (i = 0; i < npages; i++) {
		must(read(fd, block, PAGE) == PAGE, "the file can be read");
		check_lines(block, i);
	}
	for (i = npages; i >= 64; i -= 64) {
		char *p = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE, fd, (off_t)(i - 64) * PAGE);
		must(p != MAP_FAILED, "the file can be mapped");
		for (unsigned j = 0; j < 63; j++)		/* the last page of a window may end without a NUL behind it */
			check_lines(p + j * PAGE, i - 64 + j);
		munmap(p, 64 * PAGE);
	}
	exit(0);
}

/* ---- witnesses ---------------------------------------------------------------------------------------------------------------------- */

/* A pipe has no memory of its own: it is refused while there is none, which ends when those who took it are gone. */
static void send_byte(int to)
{
	char byte = 1;

	while (write(to, &byte, 1) != 1) {
		must(errno == ENOMEM, "a pipe takes a byte");
		usleep(1000);
	}
}

/* A process with tagged memory, a part of it inherited; it looks when it gets a byte, and again, until there are no more. */
static pid_t begin_witness(int *tell, int *hear)
{
	int down[2], up[2];
	uint64_t *p = map(WITNESS_PAGES * PAGE, MAP_PRIVATE);

	must(pipe(down) == 0 && pipe(up) == 0, "pipe");
	tag(p, WITNESS_PAGES, 1);
	pid_t pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0) {
		char byte;
		close(down[1]);
		close(up[0]);
		tag(p, WITNESS_PAGES / 2, 9);
		while (read(down[0], &byte, 1) == 1) {
			must(tagged(p, WITNESS_PAGES / 2, 9), "the witness has what it wrote");
			p[WITNESS_PAGES / 2 * WORDS - 1]++;		/* not a tagged word */
			for (size_t i = WITNESS_PAGES / 2; i < WITNESS_PAGES; i++)
				must(p[i * WORDS + i % WORDS] == i + 1, "the witness has what it inherited");
			send_byte(up[1]);
		}
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	must(tagged(p, WITNESS_PAGES, 1), "the parent has its words");
	munmap(p, WITNESS_PAGES * PAGE);
	*tell = down[1];
	*hear = up[0];
	return pid;
}

enum { MAY_BE_KILLED = 1, MUST_BE_KILLED = 2 };
static const struct way { const char *name; void (*take)(void); int end; unsigned long *count; } ways[] = {
	{ "private memory", private_memory, MUST_BE_KILLED, &killed }, { "shared memory", shared_memory, MUST_BE_KILLED, &killed },
	{ "page tables", page_tables, MUST_BE_KILLED, &killed }, { "copies", copies, MAY_BE_KILLED, NULL },
	{ "pipes", pipes, MAY_BE_KILLED, &refused }, { "files", fill_files, 0, &files_filled }, { "a large file", large_file, 0, &files_read },
};
enum { WAYS = sizeof ways / sizeof *ways };

static void go(const struct way *way)
{
	int status;
	uint64_t draw = random_below(1u << 31);
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid == 0) {
		setpgid(0, 0);
		take_me_first();
		state = draw;
		way->take();
		_exit(2);			/* it should have been killed */
	}
	setpgid(pid, pid);
	status = status_of(pid);
	kill(-pid, SIGKILL);			/* what it has started */
	int was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	if (was_killed ? !way->end && !beside : way->end == MUST_BE_KILLED || status != 0) {
		fprintf(stderr, "memstress: %s: ended with status %#x\n", way->name, (unsigned)status);
		exit(1);
	}
	if (way->count)
		++*way->count;
}

static void run_round(void)
{
	int tell, hear, order[WAYS];
	pid_t witness = begin_witness(&tell, &hear);
	char byte;

	for (int i = 0; i < WAYS; i++) {
		int j = (int)random_below((uint64_t)i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	for (int i = 0; i < WAYS; i++) {
		if (ways[order[i]].take == large_file && !file)
			continue;
		go(&ways[order[i]]);
		send_byte(tell);
		must(read(hear, &byte, 1) == 1, "the witness lives");
	}
	close(tell);
	must(status_of(witness) == 0, "the witness ends well");
	close(hear);
}

static const char usage[] =
	"usage: memstress [--rounds N] [--seed N] [--file FILE] [--beside]\n"
	"Takes all memory in several ways, beside a process that must not notice.\n"
	"  --rounds N    each way once, in another order (1)\n"
	"  --seed N      of the random numbers (1)\n"
	"  --beside      other programs take memory at the same time, for which those that take it here may be killed\n"
	"  --file FILE   lines of 16 bytes, each the line's number; read while less memory is left than it has\n"
	"Exit status: 0 if all was right, 1 if not, 2 for wrong usage.\n";

int main(int argc, char **argv)
{
	static const struct option options[] = { { "rounds", 1, 0, 'r' }, { "seed", 1, 0, 's' }, { "file", 1, 0, 'f' }, { "beside", 0, &beside, 1 },
		{ "help", 0, 0, 'h' }, { 0 } };
	int o;

	while ((o = getopt_long(argc, argv, "r:s:f:h", options, NULL)) != -1)
		switch (o) {
		case 0: break;
		case 'r': rounds = atol(optarg); break;
		case 's': seed = atol(optarg); break;
		case 'f': file = optarg; break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	if (optind < argc || rounds < 1) {
		fputs(usage, stderr);
		return 2;
	}
	state = (uint64_t)seed;
	for (long i = 0; i < rounds; i++)
		run_round();
	printf("memstress: %lu killed, %lu refused, files filled %lu times, a large file read %lu times: all right\n", killed, refused, files_filled, files_read);
	return 0;
}
