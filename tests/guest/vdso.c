/* tests/guest/vdso.c - the vDSO: found by the auxiliary vector, read as the ELF file that it is, and compared with the calls that it stands for. */
#include "tap.h"
#include <elf.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>

static const Elf64_Ehdr *image(void)
{
	const Elf64_Ehdr *e = (const void *)getauxval(AT_SYSINFO_EHDR);
	NEED(e);
	return e;
}

/* A function by its name and the version that Linux gives it. */
static void *find(const char *name)
{
	const char *base = (const char *)image();
	const Elf64_Phdr *p = (const void *)(base + image()->e_phoff);
	const Elf64_Dyn *d = NULL;
	const char *strings = NULL, *load = NULL;
	const Elf64_Sym *symbols = NULL;
	const uint32_t *hash = NULL;
	const uint16_t *versions = NULL;
	const Elf64_Verdef *verdef = NULL;

	for (int i = 0; i < image()->e_phnum; i++) {
		if (p[i].p_type == PT_LOAD)
			load = base + p[i].p_offset - p[i].p_vaddr;
		else if (p[i].p_type == PT_DYNAMIC)
			d = (const void *)(base + p[i].p_offset);
	}
	NEED(load && d);
	for (; d->d_tag != DT_NULL; d++) {
		const void *at = load + d->d_un.d_ptr;
		switch (d->d_tag) {
		case DT_STRTAB: strings = at; break;
		case DT_SYMTAB: symbols = at; break;
		case DT_HASH: hash = at; break;
		case DT_VERSYM: versions = at; break;
		case DT_VERDEF: verdef = at; break;
		}
	}
	NEED(strings && symbols && hash && versions && verdef);
	for (uint32_t i = 0; i < hash[1]; i++) {
		if (strcmp(strings + symbols[i].st_name, name) || !symbols[i].st_shndx)
			continue;
		const Elf64_Verdef *v = verdef;
		while (v->vd_ndx != (versions[i] & 0x7fff) && v->vd_next)
			v = (const void *)((const char *)v + v->vd_next);
		const Elf64_Verdaux *aux = (const void *)((const char *)v + v->vd_aux);
		CHECK(!strcmp(strings + aux->vda_name, "LINUX_2.6"));
		return (void *)(uintptr_t)(load + symbols[i].st_value);
	}
	return NULL;
}

static int (*gettime)(clockid_t, struct timespec *), (*getres)(clockid_t, struct timespec *), (*get_cpu)(unsigned *, unsigned *, void *);
static int (*timeofday)(struct timeval *, struct timezone *);
static time_t (*get_time)(time_t *);

static void find_all(void)
{
	gettime = (int (*)(clockid_t, struct timespec *))find("__vdso_clock_gettime");
	getres = (int (*)(clockid_t, struct timespec *))find("__vdso_clock_getres");
	get_cpu = (int (*)(unsigned *, unsigned *, void *))find("__vdso_getcpu");
	timeofday = (int (*)(struct timeval *, struct timezone *))find("__vdso_gettimeofday");
	get_time = (time_t (*)(time_t *))find("__vdso_time");
	NEED(gettime && getres && get_cpu && timeofday && get_time);
	CHECK(find("clock_gettime") && find("gettimeofday") && find("time") && find("getcpu"));
	CHECK(!find("no_such_function"));
}

static long long ns_of(struct timespec t) { return t.tv_sec * 1000000000ll + t.tv_nsec; }

static long long ask(clockid_t clock)
{
	struct timespec t = { 0, 0 };
	EQ(syscall(SYS_clock_gettime, clock, &t), 0);
	return ns_of(t);
}

static long long look(clockid_t clock)
{
	struct timespec t = { 0, 0 };
	EQ(gettime(clock, &t), 0);
	CHECK(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
	return ns_of(t);
}

TEST(is_an_elf_file)
{
	const Elf64_Ehdr *e = image();

	CHECK(!memcmp(e->e_ident, ELFMAG, SELFMAG));
	EQ(e->e_ident[EI_CLASS], ELFCLASS64);
	EQ(e->e_type, ET_DYN);
	EQ(e->e_machine, EM_X86_64);
	EQ((uintptr_t)e % PAGE, 0);
	find_all();
}

static size_t image_bytes;			/* of the whole mapping, which is not to be split on Linux */

static void find_in_maps(void)
{
	char line[300], rights[8];
	unsigned long start, end;
	int vdso = 0, vvar = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	NEED(f);
	while (fgets(line, sizeof line, f)) {
		NEED(sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3);
		if (strstr(line, "[vdso]")) {
			vdso++;
			EQ(start, (uintptr_t)image());
			image_bytes = end - start;
			CHECK(!strcmp(rights, "r-xp"));
		} else if (strstr(line, "[vvar]")) {
			vvar++;
			CHECK(!strcmp(rights, "r--p"));
			CHECK(end <= (uintptr_t)image());
		}
	}
	fclose(f);
	EQ(vdso, 1);
	EQ(vvar, 1);
}

TEST(is_in_maps)
{
	find_in_maps();
}

/* Between two calls it says what lies between their answers. */
TEST(agrees_with_the_calls)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_MONOTONIC_RAW };

	find_all();
	for (int c = 0; c < 5; c++)
		for (int i = 0; i < 1000; i++) {
			long long before = ask(clocks[c]), between = look(clocks[c]), after = ask(clocks[c]);
			if (before > between || between > after) {
				FAIL("clock %d: %lld, %lld, %lld", clocks[c], before, between, after);
				break;
			}
		}
	for (int i = 0; i < 100; i++) {
		long long before = ask(CLOCK_REALTIME) / 1000;
		struct timeval v;
		struct timezone z = { 1, 1 };
		EQ(timeofday(&v, &z), 0);
		long long between = v.tv_sec * 1000000ll + v.tv_usec, after = ask(CLOCK_REALTIME) / 1000;
		CHECK(before <= between && between <= after);
		EQ(z.tz_minuteswest, 0);
	}
	EQ(timeofday(NULL, NULL), 0);
	time_t t = 0, now = get_time(&t);
	EQ(t, now);
	CHECK(llabs(now - ask(CLOCK_REALTIME) / 1000000000) <= 1);
	CHECK(llabs(get_time(NULL) - now) <= 1);
}

TEST(asks_what_it_does_not_know)
{
	struct timespec t;

	find_all();
	long long used = look(CLOCK_PROCESS_CPUTIME_ID);
	CHECK(used > 0 && used <= ask(CLOCK_PROCESS_CPUTIME_ID));
	CHECK(look(CLOCK_THREAD_CPUTIME_ID) <= ask(CLOCK_THREAD_CPUTIME_ID));
	EQ(gettime(77, &t), -EINVAL);
	EQ(getres(77, &t), -EINVAL);
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_PROCESS_CPUTIME_ID };
	for (int i = 0; i < 6; i++) {
		struct timespec a, b;
		EQ(getres(clocks[i], &a), 0);
		EQ(syscall(SYS_clock_getres, clocks[i], &b), 0);
		EQ(ns_of(a), ns_of(b));
		EQ(getres(clocks[i], NULL), 0);
	}
	for (int i = 0; i < 2; i++) {
		clockid_t coarse = i ? CLOCK_MONOTONIC_COARSE : CLOCK_REALTIME_COARSE, fine = i ? CLOCK_MONOTONIC : CLOCK_REALTIME;
		long long at = look(coarse), now = ask(fine);
		CHECK(at <= now && at > now - 100000000);
	}
}

TEST(knows_the_processor)
{
	cpu_set_t set, all;

	find_all();
	NEED(!sched_getaffinity(0, sizeof all, &all));
	for (int i = 0; i < 16; i++) {
		unsigned cpu = 99, node = 99;
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&set);
		CPU_SET(i, &set);
		NEED(!sched_setaffinity(0, sizeof set, &set));
		EQ(get_cpu(&cpu, &node, NULL), 0);
		EQ(cpu, i);
		CHECK(node < 64);
		EQ(get_cpu(NULL, NULL, NULL), 0);
	}
}

/* On several processors, one after the other sees time go on. */
static long long last_seen;
static void *see(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		long long before = __atomic_load_n(&last_seen, __ATOMIC_SEQ_CST);
		struct timespec t;
		gettime(CLOCK_MONOTONIC, &t);
		if (ns_of(t) < before) {
			FAIL("time went back by %lld ns", before - ns_of(t));
			break;
		}
		__atomic_compare_exchange_n(&last_seen, &before, ns_of(t), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

TEST(goes_on_everywhere)
{
	pthread_t t[4];

	find_all();
	for (int i = 0; i < 4; i++)
		NEED(!pthread_create(&t[i], NULL, see, NULL));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

TEST(follows_the_clock)
{
	find_all();
	struct timespec t = { look(CLOCK_REALTIME) / 1000000000 + 5000, 0 };
	long long mono = look(CLOCK_MONOTONIC);

	if (geteuid() || clock_settime(CLOCK_REALTIME, &t))
		SKIP("the clock may not be set");
	CHECK(llabs(look(CLOCK_REALTIME) - ns_of(t)) < 1000000000);
	CHECK(llabs(get_time(NULL) - t.tv_sec) <= 1);
	CHECK(look(CLOCK_MONOTONIC) - mono < 1000000000);
	t.tv_sec -= 5000;
	EQ(clock_settime(CLOCK_REALTIME, &t), 0);
}

TEST(is_a_mapping_like_others)
{
	int status;
	char *at = (char *)(uintptr_t)image(), first = *at;

	find_all();
	find_in_maps();
	FAILS(mprotect(at - PAGE, PAGE, PROT_READ | PROT_WRITE), EACCES);
	TRY(*(volatile char *)(at - PAGE) = 1);
	EQ(tap_caught.si_signo, SIGSEGV);
	CHILD(status) {						/* a copy of one's own, as debuggers make it */
		EQ(mprotect(at, image_bytes, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
		*(volatile char *)at = 'x';
		EQ(*at, 'x');
		CHECK(look(CLOCK_MONOTONIC) > 0);
	}
	EQ(status, 0);
	EQ(*at, first);
	CHILD(status) {
		EQ(munmap(at, image_bytes), 0);
		TRY((void)*(volatile char *)at);
		EQ(tap_caught.si_signo, SIGSEGV);
		struct timespec t;
		EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t), 0);
	}
	EQ(status, 0);
	CHILD(status) {
		char *to = mmap(NULL, image_bytes, PROT_NONE, ANON, -1, 0);
		EQ(mremap(at, image_bytes, image_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
		CHECK(!memcmp(to, ELFMAG, SELFMAG));
	}
	EQ(status, 0);
	CHILD(status)
		CHECK(look(CLOCK_MONOTONIC) > 0);
	EQ(status, 0);
}

/* A pointer that leads nowhere is the program's own fault there, not an errno. */
TEST(faults_in_the_program)
{
	find_all();
	TRY(gettime(CLOCK_MONOTONIC, (void *)8));
	EQ(tap_caught.si_signo, SIGSEGV);
}

/* What it saves: no call is made.  Said only, the figure is the machine's. */
TEST(is_faster)
{
	enum { N = 20000 };
	struct timespec t;

	find_all();
	long long began = ask(CLOCK_MONOTONIC);
	for (int i = 0; i < N; i++)
		gettime(CLOCK_MONOTONIC, &t);
	long long here = ask(CLOCK_MONOTONIC) - began;
	began = ask(CLOCK_MONOTONIC);
	for (int i = 0; i < N; i++)
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	printf("# %lld ns, by a call %lld ns\n", here / N, (ask(CLOCK_MONOTONIC) - began) / N);
}
