/* tests/guest/start.c - what a program finds when it starts: arguments, environment, auxiliary vector, registers, descriptors. */
#define TAP_OWN_MAIN
#include "tap.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/utsname.h>

extern char **environ;
static char **first_argument;
static int argument_count;

TEST(arguments_and_environment_lie_in_order)
{
	char **p = first_argument;

	EQ((uintptr_t)p & 7, 0);
	CHECK(p[argument_count] == NULL);
	CHECK(environ == p + argument_count + 1);
	EQ(((uintptr_t)p - 8) & 15, 0);			/* argc is 16-byte aligned */
	EQ(*(long *)((uintptr_t)p - 8), argument_count);
	for (int i = 1; i < argument_count; i++)
		EQ((uintptr_t)p[i], (uintptr_t)p[i - 1] + strlen(p[i - 1]) + 1);
	CHECK((uintptr_t)p < 0x800000000000);
}

TEST(auxiliary_vector)
{
	const Elf64_Ehdr *header = (const void *)(uintptr_t)(getauxval(AT_PHDR) & ~0xffful);

	EQ(getauxval(AT_PAGESZ), PAGE);
	EQ(getauxval(AT_CLKTCK), 100);
	EQ(getauxval(AT_UID), getuid());
	EQ(getauxval(AT_EUID), geteuid());
	EQ(getauxval(AT_GID), getgid());
	EQ(getauxval(AT_EGID), getegid());
	EQ(getauxval(AT_SECURE), 0);
	EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
	CHECK(!memcmp(header->e_ident, ELFMAG, 4));
	EQ(getauxval(AT_PHNUM), header->e_phnum);
	CHECK(getauxval(AT_ENTRY) % 0x1000000 >= header->e_entry % 0x1000000);
	EQ(getauxval(AT_BASE), 0);
	CHECK(getauxval(AT_EXECFN) && strstr((char *)getauxval(AT_EXECFN), "start"));
	CHECK(getauxval(AT_PLATFORM) && !strcmp((char *)getauxval(AT_PLATFORM), "x86_64"));
	unsigned char *random = (unsigned char *)getauxval(AT_RANDOM);
	NEED(random);
	int zero = 0;
	for (int i = 0; i < 16; i++)
		zero += !random[i];
	CHECK(zero < 8);
}

TEST(random_bytes_differ)
{
	int ends[2];
	char bytes[2][16];

	NEED(!pipe(ends));
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		if (!pid) {
			dup2(ends[1], 1);
			execl("/proc/self/exe", "start", "--random", NULL);
			_exit(1);
		}
		EQ(wait_status(pid), 0);
		EQ(read(ends[0], bytes[i], 16), 16);
	}
	CHECK(memcmp(bytes[0], bytes[1], 16));
}

TEST(uname_names_it)
{
	struct utsname u;

	EQ(uname(&u), 0);
	CHECK(!strcmp(u.machine, "x86_64"));
	CHECK(u.sysname[0] && u.release[0] >= '2' && u.nodename[0]);
}

TEST(no_more_is_mapped_than_needed)
{
	char line[256];
	int regions = 0, stack = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	NEED(f);
	while (fgets(line, sizeof line, f)) {
		unsigned long from, to;
		char rights[8];
		NEED(sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3);
		CHECK(from < to && !(from & 0xfff) && !(to & 0xfff));
		CHECK(!(rights[1] == 'w' && rights[2] == 'x'));
		stack += strstr(line, "[stack]") != NULL;
		regions++;
	}
	fclose(f);
	CHECK(regions >= 4 && regions < 20);
	EQ(stack, 1);
}

/* A program of a megabyte of code that exits at once takes a few faults, not one for each page. */
FAULTLINE_TEST(programs_are_mapped_lazily)
{
	struct faultstat before, after;

	NEED(syscall(SYS_faultstat, FAULTSTAT_CHILDREN, 0, &before, sizeof before) >= 0);
	pid_t pid = fork();
	if (!pid) {
		execl("/bin/busybox", "true", NULL);
		_exit(1);
	}
	EQ(wait_status(pid), 0);
	NEED(syscall(SYS_faultstat, FAULTSTAT_CHILDREN, 0, &after, sizeof after) >= 0);
	unsigned long all = 0;
	for (int i = 0; i < FAULT_CLASSES; i++)
		all += after.count[i] - before.count[i];
	CHECK(all > 5 && all < 120);
	EQ(after.count[FAULT_SEGV], before.count[FAULT_SEGV]);
}

int main(int argc, char **argv)
{
	first_argument = argv;
	argument_count = argc;
	if (argc > 1 && !strcmp(argv[1], "--random"))
		return write(1, (void *)getauxval(AT_RANDOM), 16) != 16;
	return tap_main(argc, argv);
}
