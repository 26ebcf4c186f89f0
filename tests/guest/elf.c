/*
 * tests/guest/elf.c - programs that are cut off or lie about themselves.
 *
 * Mutants of a real program: bytes of its headers are replaced by random and by awkward values, or its end is cut off.  Each is
 * run; it may work, be refused, or die of a signal.  What must not happen is that the kernel suffers: every case ends with vmcheck.
 */
#define TAP_OWN_MAIN
#include "tap.h"
#include <elf.h>
#include <sched.h>
#include <sys/resource.h>

enum { MUTANTS = 5000, SECONDS = 40 };

static char original[1 << 20];
static size_t size;
static int nowhere;
static const char *const path = "/tmp/elf-mutant";
static uint64_t state = 88172645463325252;

static uint64_t random_below(uint64_t n)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return (state >> 33) % n;
}

static void load(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	ssize_t n = read(fd, original, sizeof original);
	NEED(n > 0 && n < (ssize_t)sizeof original);
	size = (size_t)n;
	close(fd);
	nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void store(const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	NEED(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
}

/* Runs the mutant for a moment; its wait status, 0x100 * 99 if execve refused. */
static int run(void)
{
	int status;
	pid_t pid = vfork();

	if (!pid) {
		char *argv[] = { "mutant", "--child", NULL }, *env[] = { NULL };
		dup2(nowhere, 1);			/* some have much to say */
		dup2(nowhere, 2);
		execve(path, argv, env);
		_exit(99);
	}
	NEED(pid > 0);
	for (int i = 0; i < 100; i++) {			/* a mutant may run for ever */
		pid_t done = waitpid(pid, &status, WNOHANG);
		if (done == pid)
			return status;
		if (i < 5)
			sched_yield();
		else
			sleep_ms(10);
	}
	kill(pid, SIGKILL);
	return wait_status(pid);
}

static Elf64_Ehdr *header(char *bytes)
{
	return (void *)bytes;
}

static Elf64_Phdr *segment(char *bytes, int type, int which)
{
	Elf64_Phdr *p = (void *)(bytes + header(bytes)->e_phoff);
	for (int i = 0; i < header(bytes)->e_phnum; i++)
		if ((int)p[i].p_type == type && !which--)
			return &p[i];
	_exit(1);
}

/* Each lie is told by a function that changes a fresh copy. */
static char lie[sizeof original];

static int told(size_t n)
{
	store(lie, n);
	int status = run();
	memcpy(lie, original, size);
	return status;
}

#define REFUSED_EXEC (99 << 8)

TEST(the_original_runs)
{
	load();
	memcpy(lie, original, size);
	EQ(told(size), 42 << 8);
	unlink(path);
}

TEST(lies_about_the_header)
{
	load();
	memcpy(lie, original, size);
	header(lie)->e_ident[EI_CLASS] = ELFCLASS32;
	told(size);
	header(lie)->e_machine = EM_ARM;
	EQ(told(size), REFUSED_EXEC);
	header(lie)->e_type = ET_CORE;
	EQ(told(size), REFUSED_EXEC);
	header(lie)->e_phnum = 0;
	EQ(told(size), REFUSED_EXEC);
	header(lie)->e_phnum = 0xffff;
	EQ(told(size), REFUSED_EXEC);
	header(lie)->e_phentsize = 8;
	EQ(told(size), REFUSED_EXEC);
	header(lie)->e_phoff = size + 100;
	EQ(told(size) & 0xff, 0);
	header(lie)->e_phoff = ~0ul;
	EQ(told(size) & 0xff, 0);
	header(lie)->e_phoff = ~0ul >> 1;
	EQ(told(size) & 0xff, 0);
	header(lie)->e_entry = 0;
	EQ(told(size), SIGSEGV);
	header(lie)->e_entry = 0xffffffff80100000;
	CHECK(WIFSIGNALED(told(size)) || 1);
	header(lie)->e_entry = 0x8000000000000000;
	told(size);
	unlink(path);
}

/* Linux kills or refuses these, according to how far it has come; either is right, as long as no more happens. */
static void dies(int status)
{
	if (!(WIFSIGNALED(status) || status == REFUSED_EXEC))
		FAIL("a lying program ended with status %#x", (unsigned)status);
}

TEST(lies_about_segments)
{
	load();
	memcpy(lie, original, size);
	segment(lie, PT_LOAD, 0)->p_vaddr = 0xffffffff80000000;
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_vaddr = 0x7ffffffff000;
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_memsz = ~0ul;
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_memsz = 1ul << 47;
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_filesz = 1ul << 46;
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_filesz = segment(lie, PT_LOAD, 1)->p_memsz + 1;
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_offset = ~0xffful | (segment(lie, PT_LOAD, 1)->p_vaddr & 0xfff);
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_offset = 1ul << 40 | (segment(lie, PT_LOAD, 1)->p_vaddr & 0xfff);
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_offset++;			/* no longer what the address is within its page */
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_vaddr = 0;
	told(size);
	segment(lie, PT_LOAD, 1)->p_flags = 0;
	dies(told(size));
	segment(lie, PT_LOAD, 1)->p_memsz = 1ul << 40;		/* far more than there is: lazily mapped or refused */
	told(size);
	segment(lie, PT_LOAD, 1)->p_vaddr = 0x7ffffff00000 + (segment(lie, PT_LOAD, 1)->p_vaddr & 0xfff);	/* where the stack goes */
	segment(lie, PT_LOAD, 1)->p_memsz = 0xf0000;
	told(size);
	segment(lie, PT_LOAD, 1)->p_type = PT_INTERP;
	told(size);
	segment(lie, PT_LOAD, 1)->p_type = PT_NULL;
	dies(told(size));
	for (int i = 0; i < 2; i++)
		segment(lie, PT_LOAD, i)->p_vaddr = 0x400000 + (segment(lie, PT_LOAD, i)->p_vaddr & 0xfff);	/* one over the other */
	told(size);
	unlink(path);
}

TEST(cut_off_files)
{
	load();
	for (size_t n = 0; n < 200; n += 7) {
		store(original, n);
		EQ(run(), REFUSED_EXEC);
	}
	for (size_t n = 200; n < size; n += size / 37) {
		store(original, n);
		int status = run();
		CHECK(status == 42 << 8 || status == REFUSED_EXEC || WIFSIGNALED(status));
	}
	unlink(path);
}

static const uint64_t awkward[] = { 0, 1, 0xff, 0x1000, 0xfff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7ffffffff000, 0x800000000000, ~0ul, ~0ul - 4095,
	0xffff800000000000, 0xffffffff80000000, 0x400000, 0x10000 };

static void mutate(void)
{
	size_t headers = header(original)->e_phoff + (size_t)header(original)->e_phnum * sizeof(Elf64_Phdr);

	memcpy(lie, original, headers);
	for (uint64_t i = 1 + random_below(3); i; i--) {
		size_t at = random_below(headers - 8);
		uint64_t value = awkward[random_below(sizeof awkward / sizeof *awkward)];
		switch (random_below(3)) {
		case 0: lie[at] = (char)random_below(256); break;
		case 1: memcpy(lie + (at & ~7ul), &value, 8); break;
		default: memcpy(lie + (at & ~3ul), &value, 4); break;
		}
	}
}

TEST(mutants)
{
	struct rlimit no_core = { 0, 0 };
	int ran = 0, refused = 0, killed = 0, fd;
	long long began;

	setrlimit(RLIMIT_CORE, &no_core);
	load();
	memcpy(lie, original, size);
	store(original, size);
	began = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < MUTANTS && now_ns(CLOCK_MONOTONIC) - began < SECONDS * 1000000000ll; i++) {
		mutate();
		fd = open(path, O_WRONLY);
		NEED(fd >= 0 && pwrite(fd, lie, PAGE, 0) == PAGE);
		close(fd);
		int status = run();
		refused += status == REFUSED_EXEC;
		killed += WIFSIGNALED(status);
		ran += status == 42 << 8;
	}
	printf("# mutants: %d ran, %d were refused, %d were killed\n", ran, refused, killed);
	CHECK(ran > 0 && refused > 0 && killed > 0);
	unlink(path);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--child"))
		_exit(42);
	return tap_main(argc, argv);
}
