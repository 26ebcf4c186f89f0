/* tests/guest/ahead.c - who writes one page after the other gets some more at once (/proc/sys/vm/fault_ahead): how many, and what is in them. */
#include "tap.h"
#include <sys/mman.h>

enum { PAGES = 64, AHEAD = 8 };		/* a fault and what it brings */

static void set(const char *word)
{
	int fd = open("/proc/sys/vm/fault_ahead", O_WRONLY);
	NEED(fd >= 0 && write(fd, word, strlen(word)) == (ssize_t)strlen(word));
	close(fd);
}

static int resident(const volatile char *p, int pages)
{
	unsigned char there[PAGES];
	int n = 0;

	NEED(!mincore((void *)p, (size_t)pages * PAGE, there));
	for (int i = 0; i < pages; i++)
		n += there[i] & 1;
	return n;
}

FAULTLINE_TEST(one_after_the_other)
{
	struct faultstat stat;
	volatile char *q = map_anon((2 * PAGES + 1) * PAGE, MAP_PRIVATE), *p = q + (PAGES + 1) * PAGE;

	NEED(!mprotect((char *)q + PAGES * PAGE, PAGE, PROT_NONE));
	set("on");
	faults_now(&stat);
	for (int i = 0; i < PAGES; i++)
		p[i * PAGE] = 1;
	EQ(faults_since(&stat, FAULT_DEMAND_ZERO), 1 + (PAGES - 1 + AHEAD - 1) / AHEAD);
	for (int i = PAGES; i--; )
		q[i * PAGE] = 1;
	EQ(faults_since(&stat, FAULT_DEMAND_ZERO), 2 * (1 + (PAGES - 1 + AHEAD - 1) / AHEAD));
	set("off");
	EQ(resident(p, PAGES), PAGES);
	for (int i = 0; i < PAGES; i++)
		CHECK(p[i * PAGE] == 1 && q[i * PAGE] == 1 && !p[i * PAGE + 4095] && !q[i * PAGE + 1]);
}

FAULTLINE_TEST(nothing_is_given_to_who_jumps)
{
	volatile char *p = map_anon(PAGES * PAGE, MAP_PRIVATE);

	set("on");
	for (int i = 0; i < PAGES; i += 2)
		p[i * PAGE] = 1;
	EQ(resident(p, PAGES), PAGES / 2);
	p = map_anon(PAGES * PAGE, MAP_PRIVATE);
	p[PAGE] = 1;
	p[0] = 1;				/* downwards there is nothing */
	EQ(resident(p, PAGES), 2);
	set("off");
}

FAULTLINE_TEST(not_beyond_what_may_be_written)
{
	volatile char *p = map_anon(PAGES * PAGE, MAP_PRIVATE);

	set("on");
	NEED(!mprotect((char *)p + 4 * PAGE, PAGE, PROT_READ));
	p[0] = 1;
	p[PAGE] = 1;
	EQ(resident(p, PAGES), 4);
	NEED(!madvise((char *)p, PAGES * PAGE, MADV_DONTNEED));
	p[PAGE] = 1;				/* what is there stays as it is, and ends it */
	p[3 * PAGE] = 7;
	p[2 * PAGE] = 1;
	CHECK(p[3 * PAGE] == 7 && resident(p, 1) == 0);
	set("off");
}

FAULTLINE_TEST(private_pages_of_a_file)
{
	char path[] = "/tmp/ahead-XXXXXX";
	struct faultstat stat;
	int fd = mkstemp(path);
	char c;

	NEED(fd >= 0 && !unlink(path));
	for (int i = 0; i < PAGES; i++)
		NEED(pwrite(fd, &(char){ (char)(i + 1) }, 1, i * PAGE) == 1);
	NEED(!ftruncate(fd, (PAGES - 2) * PAGE));	/* the last two pages are beyond the end */
	volatile char *p = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE, fd, 0);
	NEED(p != MAP_FAILED);
	set("on");
	faults_now(&stat);
	for (int i = 0; i < PAGES - 2; i++) {
		p[i * PAGE + 1] = 99;
		CHECK(p[i * PAGE] == i + 1);
	}
	EQ(faults_since(&stat, FAULT_FILE_COW), 1 + (PAGES - 3 + AHEAD - 1) / AHEAD);
	set("off");
	NEED(pwrite(fd, "x", 1, 5 * PAGE) == 1);
	CHECK(p[5 * PAGE] == 6);			/* its copy was made, and is its own */
	NEED(pread(fd, &c, 1, 5 * PAGE + 1) == 1 && c == 0);
}
