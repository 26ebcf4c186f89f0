/* tests/guest/tables.c - page tables that fork shares, and huge pages: exact counts of faults, with both settings of each. */
#include "tap.h"

enum { MIB = 1 << 20, HUGE = 2 * MIB, SIZE = 64 * MIB, PAGES = SIZE / PAGE, IN_TABLE = HUGE / PAGE, TABLES = SIZE / HUGE };
#define FORK_SETTING "/proc/sys/vm/fork"
#define HUGE_SETTING "/sys/kernel/mm/transparent_hugepage/enabled"

/* Writes a word into a settings file; the file shows it in brackets then. */
static void set(const char *path, const char *word)
{
	char text[64] = "", shown[32];
	int fd = open(path, O_RDWR);

	NEED(fd >= 0);
	EQ(write(fd, word, strlen(word)), strlen(word));
	close(fd);
	fd = open(path, O_RDONLY);
	CHECK(read(fd, text, sizeof text - 1) > 0);
	close(fd);
	snprintf(shown, sizeof shown, "[%s]", word);
	CHECK(strstr(text, shown));
}

/* Memory aligned to a leaf table's reach. */
static char *aligned(size_t size)
{
	char *p = map_anon(size + HUGE, MAP_PRIVATE);
	char *start = (char *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));

	if (start > p)
		munmap(p, (size_t)(start - p));
	munmap(start + size, (size_t)(p + HUGE - start));
	return start;
}

static void write_pages(char *p, int from, int n, char value)
{
	for (int i = from; i < from + n; i++)
		p[(size_t)i * PAGE] = value;
}

static int all_are(const char *p, int from, int n, char value)
{
	for (int i = from; i < from + n; i++)
		if (p[(size_t)i * PAGE] != value)
			return 0;
	return 1;
}

static long unshared_since(const struct faultstat *before)
{
	struct faultstat now;

	faults_now(&now);
	return (long)(now.flags[FAULT_FLAG_UNSHARED] - before->flags[FAULT_FLAG_UNSHARED]);
}

static long resident_kib(void)
{
	long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	NEED(f && fscanf(f, "%ld %ld", &size, &resident) == 2);
	fclose(f);
	return resident * (PAGE / 1024);
}

FAULTLINE_TEST(fork_shares_tables)
{
	struct faultstat before;
	char *p = aligned(SIZE);
	int status;

	set(FORK_SETTING, "share");
	write_pages(p, 0, PAGES, 1);
	CHILD(status) {
		CHECK(resident_kib() >= SIZE / 1024);
		faults_now(&before);
		CHECK(all_are(p, 0, PAGES, 1));
		EQ(unshared_since(&before), 0);
		write_pages(p, 0, 3, 2);
		EQ(faults_since(&before, FAULT_COW_COPY), 3);
		EQ(unshared_since(&before), 1);
		write_pages(p, PAGES - 1, 1, 2);
		EQ(unshared_since(&before), 2);
	}
	EQ(status, 0);
	faults_now(&before);
	CHECK(all_are(p, 0, PAGES, 1));
	write_pages(p, 0, PAGES, 3);
	EQ(faults_since(&before, FAULT_TABLE_REUSE), TABLES - 2);	/* the child had copied two */
	EQ(faults_since(&before, FAULT_COW_REUSE), 2 * IN_TABLE);
	EQ(faults_since(&before, FAULT_COW_COPY), 0);
	EQ(unshared_since(&before), 0);
}

FAULTLINE_TEST(fork_copies_tables)
{
	struct faultstat before;
	char *p = aligned(SIZE);
	int status;

	set(FORK_SETTING, "copy");
	write_pages(p, 0, PAGES, 1);
	CHILD(status) {
		faults_now(&before);
		write_pages(p, 0, 1000, 2);
		EQ(faults_since(&before, FAULT_COW_COPY), 1000);
		EQ(unshared_since(&before), 0);
	}
	EQ(status, 0);
	faults_now(&before);
	write_pages(p, 0, PAGES, 3);
	EQ(faults_since(&before, FAULT_COW_REUSE), PAGES);
	EQ(faults_since(&before, FAULT_COW_COPY), 0);
	EQ(faults_since(&before, FAULT_TABLE_REUSE), 0);
	set(FORK_SETTING, "share");
}

FAULTLINE_TEST(changes_below_a_shared_table_are_ones_own)
{
	char *p = aligned(4 * HUGE);
	int status;

	write_pages(p, 0, 4 * IN_TABLE, 1);
	CHILD(status) {
		EQ(munmap(p + PAGE, PAGE), 0);
		EQ(mprotect(p + HUGE, HUGE, PROT_READ), 0);
		EQ(madvise(p + 2 * HUGE, HUGE, MADV_DONTNEED), 0);
		CHECK(mremap(p + 3 * HUGE, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 2 * HUGE) == p + 2 * HUGE);
		CHECK(all_are(p, 2 * IN_TABLE, IN_TABLE, 1));
		write_pages(p, 2 * IN_TABLE, IN_TABLE, 9);
	}
	EQ(status, 0);
	CHECK(all_are(p, 0, 4 * IN_TABLE, 1));
	write_pages(p, 0, 4 * IN_TABLE, 2);
}

FAULTLINE_TEST(many_generations)
{
	char *p = aligned(2 * HUGE);
	int status;

	write_pages(p, 0, 2 * IN_TABLE, 0);
	for (int i = 1; i <= 12; i++) {
		pid_t pid = fork();
		NEED(pid >= 0);
		if (pid) {
			EQ(waitpid(pid, &status, 0), pid);
			EQ(status, 0);
			CHECK(all_are(p, 0, i - 1, 1));
			CHECK(all_are(p, i - 1, 2 * IN_TABLE - i + 1, 0));
			if (i > 1)
				_exit(tap_failures > 0);
			return;
		}
		p[(size_t)(i - 1) * PAGE] = 1;
	}
	_exit(tap_failures > 0);
}

FAULTLINE_TEST(advised_memory_is_huge)
{
	struct faultstat before;
	char *p = aligned(4 * HUGE);

	set(HUGE_SETTING, "madvise");
	EQ(madvise(p, 3 * HUGE, MADV_HUGEPAGE), 0);
	faults_now(&before);
	write_pages(p, 0, 4 * IN_TABLE, 1);
	EQ(faults_since(&before, FAULT_HUGE), 3);
	EQ(faults_since(&before, FAULT_DEMAND_ZERO), IN_TABLE);
	long resident = resident_kib();
	EQ(munmap(p + PAGE, PAGE), 0);
	EQ(mprotect(p + HUGE + 2 * PAGE, PAGE, PROT_READ), 0);
	EQ(madvise(p + 2 * HUGE, HUGE, MADV_DONTNEED), 0);
	EQ(resident_kib(), resident - 4 - HUGE / 1024);
	CHECK(all_are(p, 2, 2 * IN_TABLE - 2, 1));
	EQ(p[2 * HUGE], 0);
}

FAULTLINE_TEST(huge_for_all_and_for_none)
{
	struct faultstat before;
	char *p = aligned(3 * HUGE);

	set(HUGE_SETTING, "always");
	EQ(madvise(p + HUGE, HUGE, MADV_NOHUGEPAGE), 0);
	faults_now(&before);
	write_pages(p, 0, 2 * IN_TABLE, 1);
	EQ(faults_since(&before, FAULT_HUGE), 1);
	EQ(faults_since(&before, FAULT_DEMAND_ZERO), IN_TABLE);
	set(HUGE_SETTING, "never");
	EQ(madvise(p + 2 * HUGE, HUGE, MADV_HUGEPAGE), 0);
	p[2 * HUGE] = 1;
	EQ(faults_since(&before, FAULT_HUGE), 1);
	set(HUGE_SETTING, "madvise");
}

FAULTLINE_TEST(a_huge_page_is_copied_on_write)
{
	char *p = aligned(HUGE);
	int status;

	EQ(madvise(p, HUGE, MADV_HUGEPAGE), 0);
	write_pages(p, 0, IN_TABLE, 1);
	CHILD(status) {
		write_pages(p, 5, 1, 2);
		CHECK(all_are(p, 6, IN_TABLE - 6, 1));
	}
	EQ(status, 0);
	CHECK(all_are(p, 0, IN_TABLE, 1));
	write_pages(p, 0, IN_TABLE, 3);
}

/* A number, in KiB, that /proc/self/smaps gives for the region that begins at p; -1: there is none. */
static long smaps(const char *p, const char *name)
{
	char line[256];
	unsigned long start, end;
	long value = -1;
	int here = 0;
	FILE *f = fopen("/proc/self/smaps", "r");

	NEED(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start == (unsigned long)p;
		else if (here && !strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %ld", &value);
	fclose(f);
	return value;
}

FAULTLINE_TEST(smaps_tells_who_has_a_page)
{
	const long kib = 2 * HUGE / 1024;
	char *p = aligned(2 * HUGE);
	int status;

	EQ(madvise(p, 2 * HUGE, MADV_HUGEPAGE), 0);
	write_pages(p, 0, IN_TABLE, 1);
	EQ(smaps(p, "AnonHugePages"), HUGE / 1024);
	write_pages(p, IN_TABLE, IN_TABLE, 1);
	EQ(smaps(p, "Rss"), kib);
	EQ(smaps(p, "Pss"), kib);
	EQ(smaps(p, "Private_Dirty"), kib);
	EQ(smaps(p, "Shared_Dirty"), 0);
	CHILD(status) {
		EQ(smaps(p, "AnonHugePages"), 0);
		EQ(smaps(p, "Rss"), kib);
		EQ(smaps(p, "Pss"), kib / 2);
		EQ(smaps(p, "Shared_Dirty"), kib);
		write_pages(p, 0, 3, 2);
		EQ(smaps(p, "Shared_Dirty"), kib - 12);
		EQ(smaps(p, "Private_Dirty"), 12);
		EQ(smaps(p, "Pss"), (kib - 12) / 2 + 12);
	}
	EQ(status, 0);
	EQ(smaps(p, "Private_Dirty"), kib);
	EQ(smaps(p, "Anonymous"), kib);
	EQ(munmap(p, 2 * HUGE), 0);
}

FAULTLINE_TEST(settings_refuse_other_words)
{
	int fd = open(FORK_SETTING, O_WRONLY);

	FAILS(write(fd, "half", 4), EINVAL);
	close(fd);
	fd = open(HUGE_SETTING, O_WRONLY);
	FAILS(write(fd, "sometimes", 9), EINVAL);
	close(fd);
}
