/*
 * mmapstress - maps files and anonymous memory in many orders and sizes and checks every byte.
 *
 * A window of addresses is filled, page by page, with pieces of files, anonymous memory, holes and protections, by random calls of
 * mmap(MAP_FIXED), munmap and mprotect, each over whatever was there.  Beside it stands a plain model: for each page what it
 * shows, which accesses it allows, and a copy if it was written.  Every byte is compared with read(2); accesses that must fail are made and must
 * fail in the right way: SIGSEGV with the right code, SIGBUS beyond the last page of a file.  Bytes after the end of a file,
 * in its last page, must be zero.  Between the steps whole files are mapped wherever the kernel likes, read in several orders, and unmapped.
 *
 *	mmapstress [--rounds N] [--steps N] [--pages N] [--seed N] [FILE...]
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, MAX_FILES = 12 };

/* Far below where the kernel puts what has no address of its own: nothing else may come to lie in a hole of the window. */
#define WINDOW ((void *)0x100000000000)

static long rounds = 2, steps = 300, npages = 128, seed = 1;

struct source {
	char *path;
	int fd;
	off_t size;
};
static struct source sources[MAX_FILES];
static int nsources;

enum kind { HOLE, ANON, FILE_PAGE };
struct model {
	enum kind kind;
	int prot;
	const struct source *source;
	off_t offset;
	unsigned char *copy;		/* what the page holds, once written */
};
static struct model *model;
static unsigned char *window;

static uint64_t checked, mapped, refused;
static uint64_t state;

static uint64_t random_below(uint64_t n)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % n;
}

static void fail(const char *what, long page)
{
	fprintf(stderr, "mmapstress: %s", what);
	if (page >= 0) {
		struct model *m = &model[page];
		fprintf(stderr, "; page %ld of the window (%p): %s", page, (void *)(window + page * PAGE),
			m->kind == HOLE ? "a hole" : m->kind == ANON ? "anonymous" : m->source->path);
		if (m->kind == FILE_PAGE)
			fprintf(stderr, " at %#lx (size %#lx)", (long)m->offset, (long)m->source->size);
		fprintf(stderr, ", protection %d%s", m->prot, m->copy ? ", written" : "");
	}
	fprintf(stderr, " (--seed %ld)\n", seed);
	exit(1);
}

static void die(const char *what)
{
	fprintf(stderr, "mmapstress: %s: %s (--seed %ld)\n", what, strerror(errno), seed);
	exit(1);
}

/* ---- accesses that may fail --------------------------------------------------------------------------------------------- */

static sigjmp_buf landing;
static volatile sig_atomic_t expecting;
static siginfo_t caught;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)context;
	if (!expecting) {
		fprintf(stderr, "mmapstress: signal %d, code %d at %p, unexpected (--seed %ld)\n", signo, info->si_code, info->si_addr, seed);
		_exit(1);
	}
	caught = *info;
	siglongjmp(landing, 1);
}

enum access { READ, WRITE };

/* Makes the access; 0 or the signal that it caused, which is in `caught`. */
static int try(volatile unsigned char *at, enum access access, unsigned char value)
{
	expecting = 1;
	if (sigsetjmp(landing, 1)) {
		expecting = 0;
		return caught.si_signo;
	}
	if (access == WRITE)
		*at = value;
	else
		(void)*at;
	expecting = 0;
	return 0;
}

/* ---- the model ------------------------------------------------------------------------------------------------------------ */

static void read_page(const struct source *s, off_t offset, unsigned char *to)
{
	ssize_t n = pread(s->fd, to, PAGE, offset);

	if (n < 0)
		die(s->path);
	if (n != (offset >= s->size ? 0 : s->size - offset < PAGE ? s->size - offset : PAGE))
		fail("read is short", -1);
	memset(to + n, 0, (size_t)(PAGE - n));
}

static void model_bytes(const struct model *m, unsigned char *to)
{
	if (m->copy)
		memcpy(to, m->copy, PAGE);
	else if (m->kind == FILE_PAGE)
		read_page(m->source, m->offset, to);
	else
		memset(to, 0, PAGE);
}

/* The signal and its code that an access to the page must cause, or 0. */
static int model_signal(const struct model *m, enum access access, int *code)
{
	*code = m->kind == HOLE ? SEGV_MAPERR : SEGV_ACCERR;
	if (m->kind == HOLE || !m->prot || (access == WRITE && !(m->prot & PROT_WRITE)))
		return SIGSEGV;
	*code = BUS_ADRERR;
	return m->kind == FILE_PAGE && m->offset >= m->source->size ? SIGBUS : 0;
}

static void forget(long page)
{
	free(model[page].copy);
	model[page] = (struct model){ 0 };
}

/* ---- the steps -------------------------------------------------------------------------------------------------------------- */

static const int protections[] = { PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_NONE, PROT_WRITE };

static int random_protection(void)
{
	return protections[random_below(sizeof protections / sizeof *protections)];
}

static long random_range(long *page)
{
	*page = (long)random_below((uint64_t)npages);
	long most = npages - *page;
	return 1 + (long)random_below((uint64_t)(most < 40 ? most : 40));
}

static void step_map(enum kind kind)
{
	long page, n = random_range(&page);
	const struct source *s = kind == FILE_PAGE ? &sources[random_below((uint64_t)nsources)] : NULL;
	off_t offset = s ? (off_t)random_below((uint64_t)(s->size / PAGE + 3)) * PAGE : 0;
	int prot = random_protection();

	void *p = mmap(window + page * PAGE, (size_t)n * PAGE, prot, MAP_PRIVATE | MAP_FIXED | (s ? 0 : MAP_ANONYMOUS), s ? s->fd : -1, offset);
	if (p == MAP_FAILED)
		die("mmap");
	if (p != window + page * PAGE)
		fail("MAP_FIXED went elsewhere", page);
	for (long i = 0; i < n; i++) {
		forget(page + i);
		model[page + i] = (struct model){ kind, prot, s, offset + i * PAGE, NULL };
	}
	mapped += (uint64_t)n;
}

static void step_unmap(void)
{
	long page, n = random_range(&page);

	if (munmap(window + page * PAGE, (size_t)n * PAGE))
		die("munmap");
	for (long i = 0; i < n; i++)
		forget(page + i);
}

/* mprotect stops at the first hole: the pages before it are changed, then it says ENOMEM. */
static void step_protect(void)
{
	long page, n = random_range(&page), i;
	int prot = random_protection();
	int error = mprotect(window + page * PAGE, (size_t)n * PAGE, prot) ? errno : 0;

	for (i = 0; i < n && model[page + i].kind != HOLE; i++)
		model[page + i].prot = prot;
	if (error != (i < n ? ENOMEM : 0)) {
		fprintf(stderr, "mmapstress: mprotect: %s\n", strerror(error));
		fail("mprotect over holes answers wrong", page);
	}
}

static void write_to(long page)
{
	struct model *m = &model[page];
	size_t at = random_below(PAGE);
	unsigned char value = (unsigned char)random_below(256);
	int code, expected = model_signal(m, WRITE, &code), got = try(window + page * PAGE + at, WRITE, value);

	if (got != expected)
		fail(got ? "a write failed" : "a write succeeded that must not", page);
	if (got) {
		if (caught.si_code != code || caught.si_addr != window + page * PAGE + at)
			fail("wrong code or address of a refused write", page);
		refused++;
		return;
	}
	if (!m->copy) {
		unsigned char *copy = malloc(PAGE);
		if (!copy)
			die("malloc");
		model_bytes(m, copy);
		m->copy = copy;
	}
	m->copy[at] = value;
}

static void step_write(void)
{
	long page, n = random_range(&page);

	for (long i = 0; i < n; i++)
		write_to(page + i);
}

static void check_page(long page)
{
	unsigned char right[PAGE], *at = window + page * PAGE;
	size_t where = random_below(PAGE);
	int code, expected = model_signal(&model[page], READ, &code), got = try(at + where, READ, 0);

	if (got != expected)
		fail(got ? "a read failed" : "a read succeeded that must not", page);
	if (got) {
		if (caught.si_code != code || caught.si_addr != at + where)
			fail("wrong code or address of a refused read", page);
		refused++;
		return;
	}
	model_bytes(&model[page], right);
	if (memcmp(at, right, PAGE))
		fail("wrong bytes", page);
	checked++;
}

static void step_check(void)
{
	long page, n = random_range(&page);

	for (long i = 0; i < n; i++)
		check_page(page + i);
}

/* A whole file wherever the kernel likes, read forwards, backwards or at random. */
static void step_whole_file(void)
{
	const struct source *s = &sources[random_below((uint64_t)nsources)];
	long n = (s->size + PAGE - 1) / PAGE, visits = n < 64 ? n : 64, order = (long)random_below(3);
	unsigned char right[PAGE], *p = mmap(NULL, (size_t)s->size, PROT_READ, MAP_PRIVATE, s->fd, 0);

	if (p == MAP_FAILED)
		die("mmap of a whole file");
	for (long i = 0; i < visits; i++) {
		long page = order == 0 ? i : order == 1 ? n - 1 - i : (long)random_below((uint64_t)n);
		read_page(s, page * PAGE, right);
		if (memcmp(p + page * PAGE, right, PAGE)) {
			fprintf(stderr, "mmapstress: %s: page %ld of %ld is wrong\n", s->path, page, n);
			fail("wrong bytes in a whole file", -1);
		}
		checked++;
	}
	if (munmap(p, (size_t)s->size))
		die("munmap of a whole file");
	mapped += (uint64_t)n;
}

static void step(void)
{
	switch (random_below(10)) {
	case 0: case 1: step_map(FILE_PAGE); break;
	case 2: step_map(ANON); break;
	case 3: step_unmap(); break;
	case 4: step_protect(); break;
	case 5: case 6: step_write(); break;
	case 7: step_whole_file(); break;
	default: step_check(); break;
	}
}

static void run_round(void)
{
	window = mmap(WINDOW, (size_t)npages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (window == MAP_FAILED)
		die("mmap of the window");
	for (long i = 0; i < npages; i++)
		model[i] = (struct model){ .kind = ANON, .prot = PROT_NONE };
	for (long i = 0; i < steps; i++)
		step();
	for (long i = 0; i < npages; i++)
		check_page(i);
	if (munmap(window, (size_t)npages * PAGE))
		die("munmap of the window");
	for (long i = 0; i < npages; i++)
		forget(i);
}

/* ---- which files -------------------------------------------------------------------------------------------------------------- */

/* Takes a file in; 0 if it is not a regular file with contents, or cannot be read. */
static int add_source(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (nsources == MAX_FILES || fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size) {
		close(fd);
		return 0;
	}
	for (int i = 0; i < nsources; i++) {
		struct stat other;
		if (!fstat(sources[i].fd, &other) && other.st_ino == st.st_ino && other.st_dev == st.st_dev) {
			close(fd);
			return 1;
		}
	}
	sources[nsources++] = (struct source){ strdup(path), fd, st.st_size };
	return 1;
}

static void add_folder(const char *folder, int most)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[1024];

	while (d && nsources < most && (e = readdir(d)))
		if (e->d_name[0] != '.' && snprintf(path, sizeof path, "%s/%s", folder, e->d_name) < (int)sizeof path)
			add_source(path);
	if (d)
		closedir(d);
}

static void find_sources(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!add_source(argv[i])) {
			fprintf(stderr, "mmapstress: %s: not a file with contents that can be read\n", argv[i]);
			exit(2);
		}
	if (!argc) {
		add_source("/proc/self/exe");
		add_source("/bin/busybox");
		add_folder("/usr/share/faultline", 6);
		add_folder("/etc", 9);
		add_folder("/bin", MAX_FILES);
	}
	if (!nsources) {
		fputs("mmapstress: found no file to map\n", stderr);
		exit(2);
	}
}

static const char usage[] =
	"usage: mmapstress [--rounds N] [--steps N] [--pages N] [--seed N] [FILE...]\n"
	"Maps files and anonymous memory in many orders and sizes and compares every byte with read(2).\n"
	"  --rounds N   windows, one after the other (2)\n"
	"  --steps N    random steps in each (300)\n"
	"  --pages N    size of the window (128)\n"
	"  --seed N     of the random numbers (1)\n"
	"  FILE...      what to map; found in /bin, /etc and the like if none is named\n"
	"Exit status: 0 if all was right, 1 if not, 2 for wrong usage.\n";

static long number(const char *text, long least, long most)
{
	char *end;
	long n = strtol(text, &end, 0);

	if (*end || end == text || n < least || n > most) {
		fprintf(stderr, "mmapstress: '%s' is not a number from %ld to %ld\n", text, least, most);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "rounds", 1, 0, 'r' }, { "steps", 1, 0, 't' }, { "pages", 1, 0, 'p' },
		{ "seed", 1, 0, 's' }, { "help", 0, 0, 'h' }, { 0 } };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	int o;

	while ((o = getopt_long(argc, argv, "r:t:p:s:h", options, NULL)) != -1)
		switch (o) {
		case 'r': rounds = number(optarg, 1, 1 << 20); break;
		case 't': steps = number(optarg, 1, 1 << 30); break;
		case 'p': npages = number(optarg, 1, 1 << 20); break;
		case 's': seed = number(optarg, 0, INT32_MAX); break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	find_sources(argc - optind, argv + optind);
	model = calloc((size_t)npages, sizeof *model);
	if (!model)
		die("calloc");
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	state = (uint64_t)seed;
	for (long i = 0; i < rounds; i++)
		run_round();
	printf("mmapstress: %d files, %lu pages mapped, %lu checked, %lu accesses refused: all right\n", nsources, mapped, checked, refused);
	return 0;
}
