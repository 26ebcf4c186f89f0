/* tests/guest/core.c - core files: who gets one, and what is in it. */
#include "tap.h"
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char folder[] = "/tmp/core.XXXXXX";

static int begin_here(void)
{
	FILE *f = fopen("/proc/sys/kernel/core_pattern", "r");
	char pattern[16] = "";

	NEED(f && fgets(pattern, sizeof pattern, f));
	fclose(f);
	strcpy(folder, "/tmp/core.XXXXXX");
	NEED(mkdtemp(folder) && chdir(folder) == 0);
	return !strcmp(pattern, "core\n");
}

static void end_here(void)
{
	unlink("core");
	NEED(chdir("/") == 0 && rmdir(folder) == 0);
}

static void limit(rlim_t bytes)
{
	struct rlimit r = { bytes, RLIM_INFINITY };
	NEED(setrlimit(RLIMIT_CORE, &r) == 0);
}

/* How a child ends that does this. */
static int die(void (*how)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		how();
		_exit(0);
	}
	NEED(waitpid(child, &status, 0) == child);
	return status;
}

static int has_core(void)
{
	struct stat st;
	return stat("core", &st) == 0 && st.st_size > 0;
}

static int signo;
static void by_signal(void) { limit(RLIM_INFINITY); raise(signo); }
static void without(void) { limit(0); abort(); }
static void undumpable(void) { limit(RLIM_INFINITY); prctl(PR_SET_DUMPABLE, 0); abort(); }
static void small(void) { limit(2 * PAGE); abort(); }

TEST(which_signals_leave_one)
{
	static const int with[] = { SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS };
	static const int without_one[] = { SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGPIPE, 40 };

	if (!begin_here())
		SKIP("cores go elsewhere here");
	for (unsigned i = 0; i < sizeof with / sizeof *with; i++) {
		signo = with[i];
		EQ(die(by_signal), signo | 0x80);
		CHECK(has_core());
		EQ(unlink("core"), 0);
	}
	for (unsigned i = 0; i < sizeof without_one / sizeof *without_one; i++) {
		signo = without_one[i];
		EQ(die(by_signal), signo);
		CHECK(!has_core());
	}
	end_here();
}

TEST(who_gets_none)
{
	struct stat st;

	if (!begin_here())
		SKIP("cores go elsewhere here");
	EQ(die(without), SIGABRT);
	EQ(die(undumpable), SIGABRT);
	CHECK(!has_core());
	EQ(die(small), SIGABRT | 0x80);
	NEED(stat("core", &st) == 0);
	CHECK(st.st_size <= 2 * PAGE);
	EQ(st.st_mode, S_IFREG | 0600);

	NEED(mkdir("closed", 0500) == 0 && chdir("closed") == 0);
	if (geteuid() == 0) {
		int status;
		CHILD(status) {
			NEED(setgid(1000) == 0 && setuid(1000) == 0);
			prctl(PR_SET_DUMPABLE, 1);
			EQ(die(by_signal), signo);
			signo = SIGSEGV;
			EQ(die(by_signal), SIGSEGV);		/* it may not write here */
		}
		EQ(status, 0);
	}
	NEED(chdir("..") == 0 && rmdir("closed") == 0);
	end_here();
}

TEST(what_had_the_name_goes)
{
	struct stat st;

	if (!begin_here())
		SKIP("cores go elsewhere here");
	int fd = open("victim", O_CREAT | O_WRONLY, 0644);
	NEED(fd >= 0 && symlink("victim", "core") == 0);
	signo = SIGSEGV;
	EQ(die(by_signal), SIGSEGV | 0x80);
	NEED(lstat("core", &st) == 0);
	CHECK(S_ISREG(st.st_mode) && st.st_size > 0);
	NEED(fstat(fd, &st) == 0);
	EQ(st.st_size, 0);
	close(fd);
	unlink("victim");
	end_here();
}

TEST(waitid_tells_of_it)
{
	siginfo_t info;

	if (!begin_here())
		SKIP("cores go elsewhere here");
	pid_t child = fork();
	if (child == 0) {
		limit(RLIM_INFINITY);
		abort();
	}
	NEED(waitid(P_PID, child, &info, WEXITED) == 0);
	EQ(info.si_code, CLD_DUMPED);
	EQ(info.si_status, SIGABRT);
	end_here();
}

static volatile char *marked, *untouched, *shared;
enum { AREA = 64 * PAGE };

static void *wait_there(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void with_threads(void)
{
	pthread_t t[3];

	limit(RLIM_INFINITY);
	for (int i = 0; i < 3; i++)
		NEED(pthread_create(&t[i], NULL, wait_there, NULL) == 0);
	marked[5 * PAGE + 7] = 'M';
	shared[PAGE] = 'S';
	*(volatile char *)64 = 1;
}

static void *fault_there(void *arg)
{
	*(volatile char *)64 = 1;
	return arg;
}

static void in_a_thread(void)
{
	pthread_t t[2];

	limit(RLIM_INFINITY);
	NEED(pthread_create(&t[0], NULL, wait_there, NULL) == 0 && pthread_create(&t[1], NULL, fault_there, NULL) == 0);
	pause();
}

/* The note at *at among the core's, and what is in it; *at becomes the next one's.  NULL: there are no more. */
static const Elf64_Nhdr *next_note(const char *core, size_t *at, const char **contents)
{
	const Elf64_Phdr *p = (const Elf64_Phdr *)(core + ((const Elf64_Ehdr *)core)->e_phoff);
	const Elf64_Nhdr *n = (const Elf64_Nhdr *)(core + p->p_offset + *at);

	if (p->p_type != PT_NOTE || *at >= p->p_filesz)
		return NULL;
	*contents = (const char *)(n + 1) + ((n->n_namesz + 3) & ~3u);
	*at += sizeof *n + ((n->n_namesz + 3) & ~3u) + ((n->n_descsz + 3) & ~3u);
	return n;
}

/* What the core has at this address of its program; -1: nothing. */
static int byte_at(const char *core, const volatile char *at)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)core;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(core + h->e_phoff);

	for (int i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && (uintptr_t)at - p[i].p_vaddr < p[i].p_filesz)
			return core[p[i].p_offset + ((uintptr_t)at - p[i].p_vaddr)];
	return -1;
}

TEST(what_is_in_it)
{
	struct stat st;
	int threads = 0, others = 0, fault_at = -1;

	if (!begin_here())
		SKIP("cores go elsewhere here");
	marked = map_anon(AREA, MAP_PRIVATE);
	untouched = map_anon(AREA, MAP_PRIVATE);
	shared = map_anon(AREA, MAP_SHARED);
	EQ(die(with_threads), SIGSEGV | 0x80);
	int fd = open("core", O_RDONLY);
	NEED(fd >= 0 && fstat(fd, &st) == 0);
	const char *core = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	NEED(core != MAP_FAILED);
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)core;
	CHECK(!memcmp(h->e_ident, ELFMAG, 4) && h->e_type == ET_CORE && h->e_machine == EM_X86_64);
	const Elf64_Nhdr *n;
	const char *contents;
	for (size_t at = 0; (n = next_note(core, &at, &contents)); ) {
		if (n->n_type == NT_PRSTATUS) {
			const struct elf_prstatus *s = (const struct elf_prstatus *)contents;
			EQ(n->n_descsz, sizeof *s);
			EQ(s->pr_cursig, SIGSEGV);
			threads++;
			CHECK(s->pr_pid > 1);
		} else if (n->n_type == NT_SIGINFO) {
			fault_at = (int)(uintptr_t)((const siginfo_t *)contents)->si_addr;
		} else if (n->n_type == NT_PRPSINFO) {
			CHECK(((const struct elf_prpsinfo *)contents)->pr_uid == getuid());
			others |= 1;
		} else if (n->n_type == NT_AUXV) {
			others |= 2;
		} else if (n->n_type == NT_FILE) {
			CHECK(((const long *)contents)[0] > 0 && ((const long *)contents)[1] == PAGE);
			others |= 4;
		} else if (n->n_type == NT_FPREGSET) {
			others |= 8;
		}
	}
	EQ(threads, 4);
	EQ(others, 15);
	EQ(fault_at, 64);
	EQ(byte_at(core, marked + 5 * PAGE + 7), 'M');
	EQ(byte_at(core, marked + 6 * PAGE), 0);
	EQ(byte_at(core, untouched), 0);
	EQ(byte_at(core, shared + PAGE), 'S');
	CHECK((off_t)st.st_blocks * 512 < st.st_size);				/* what was never touched is a hole */
	close(fd);
	munmap((void *)core, (size_t)st.st_size);
	end_here();
}

TEST(who_dies_keeps_its_number)
{
	struct stat st;
	int pids[3], n = 0, pid = 0;

	if (!begin_here())
		SKIP("cores go elsewhere here");
	EQ(die(in_a_thread), SIGSEGV | 0x80);
	int fd = open("core", O_RDONLY);
	NEED(fd >= 0 && fstat(fd, &st) == 0);
	const char *core = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	NEED(core != MAP_FAILED);
	const Elf64_Nhdr *note;
	const char *contents;
	for (size_t at = 0; (note = next_note(core, &at, &contents)); ) {
		if (note->n_type == NT_PRSTATUS && n < 3)
			pids[n++] = ((const struct elf_prstatus *)contents)->pr_pid;
		if (note->n_type == NT_PRPSINFO)
			pid = ((const struct elf_prpsinfo *)contents)->pr_pid;
	}
	EQ(n, 3);
	CHECK(pids[0] != pid && pids[1] != pids[2] && pids[0] != pids[1] && pids[0] != pids[2]);
	CHECK(pids[1] == pid || pids[2] == pid);
	close(fd);
	munmap((void *)core, (size_t)st.st_size);
	end_here();
}
