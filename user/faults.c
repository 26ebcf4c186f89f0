/*
 * faults - runs a command and says which page faults it took, as time(1) does for time.
 *
 *	faults [-o FILE] [--json] CMD...	those of the command and of all that it waited for
 *	faults [-o FILE] [--json] -p PID	those of a process so far
 *	faults [-o FILE] [--json] -s		those of the whole system since boot
 *
 * The counters are the kernel's own (faultstat, abi/faultline.h): for a command, what this process's dead children have taken
 * after it, less what they had before.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "abi/faultline.h"

static const char *const class_name[] = FAULT_CLASS_NAMES;
static const char *const flag_name[] = FAULT_FLAG_NAMES;

static int json;
static FILE *out;

static void die(int status, const char *what)
{
	fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
	exit(status);
}

static void get(int what, pid_t pid, struct faultstat *to)
{
	memset(to, 0, sizeof *to);
	if (syscall(SYS_faultstat, what, pid, to, sizeof *to) < 0)
		die(125, errno == ENOSYS ? "this kernel does not count faults by class" : "faultstat");
}

static void subtract(struct faultstat *from, const struct faultstat *what)
{
	for (int i = 0; i < FAULT_CLASSES; i++) {
		from->count[i] -= what->count[i];
		from->cost[i] -= what->cost[i];
	}
	for (int i = 0; i < FAULT_FLAGS; i++)
		from->flags[i] -= what->flags[i];
	from->neighbours -= what->neighbours;
}

/*
 * What a cost counts: under an instruction-counting emulator the cycle counter advances by a power of two an instruction, steadily.
 * A loop of known length tells.
 */
static const char *cost_unit(void)
{
	const unsigned long insns = 20000;
	unsigned long least = ~0ul;

	for (int i = 0; i < 5; i++) {
		unsigned long n = insns / 2, began = __builtin_ia32_rdtsc();
		__asm__ volatile("1: dec %0; jnz 1b" : "+r"(n));
		unsigned long took = __builtin_ia32_rdtsc() - began;
		least = took < least ? took : least;
	}
	return least >= insns && least <= insns + 64 ? "instructions" : "cycles";
}

static void print_json(const struct faultstat *s, int system)
{
	const char *comma = "";

	fprintf(out, "{\"unit\": \"%s\", \"classes\": {", cost_unit());
	for (int i = 0; i < FAULT_CLASSES; i++)
		if (s->count[i]) {
			fprintf(out, "%s\"%s\": {\"count\": %lu, \"cost\": %lu}", comma, class_name[i], s->count[i], s->cost[i]);
			comma = ", ";
		}
	fputs("}, \"flags\": {", out);
	comma = "";
	for (int i = 0; i < FAULT_FLAGS; i++)
		if (s->flags[i]) {
			fprintf(out, "%s\"%s\": %lu", comma, flag_name[i], s->flags[i]);
			comma = ", ";
		}
	fprintf(out, "}, \"neighbours\": %lu", s->neighbours);
	if (system)
		fprintf(out, ", \"pages_read\": %lu, \"pages_scanned\": %lu, \"pages_reclaimed\": %lu, \"tlb\": {\"pages\": %lu, \"full\": %lu, \"loads\": %lu}",
			s->pages_read, s->pages_scanned, s->pages_reclaimed, s->tlb_pages, s->tlb_full, s->tlb_loads);
	fputs("}\n", out);
}

static void print_row(const char *name, unsigned long count, unsigned long cost)
{
	fprintf(out, "%-16s %10lu %14lu %10lu\n", name, count, cost, count ? cost / count : 0);
}

static void print_table(const struct faultstat *s, int system)
{
	unsigned long count = 0, cost = 0;

	fprintf(out, "%-16s %10s %14s %10s\n", "class", "faults", cost_unit(), "each");
	for (int i = 0; i < FAULT_CLASSES; i++)
		if (s->count[i]) {
			print_row(class_name[i], s->count[i], s->cost[i]);
			count += s->count[i];
			cost += s->cost[i];
		}
	print_row("total", count, cost);
	if (count && !cost)
		fputs("  what they cost is not measured with several processors, unless it is wanted: echo on > /proc/sys/vm/fault_cost\n", out);
	for (int i = 0; i < FAULT_FLAGS; i++)
		if (s->flags[i])
			fprintf(out, "  of these, %s: %lu\n", flag_name[i], s->flags[i]);
	if (s->neighbours)
		fprintf(out, "  neighbouring pages mapped: %lu\n", s->neighbours);
	if (system)
		fprintf(out, "  pages read: %lu, looked at for reclaim: %lu, given back: %lu; TLB: %lu entries flushed, %lu whole flushes, %lu address-space loads\n",
			s->pages_read, s->pages_scanned, s->pages_reclaimed, s->tlb_pages, s->tlb_full, s->tlb_loads);
}

static void print(const struct faultstat *s, int system)
{
	(json ? print_json : print_table)(s, system);
	if (fflush(out) || ferror(out))
		die(125, "cannot write");
}

static void exec(char **argv)
{
	execvp(argv[0], argv);
	int status = errno == ENOENT || errno == ENOTDIR ? 127 : 126;
	fprintf(stderr, "faults: %s: %s\n", argv[0], strerror(errno));
	_exit(status);
}

/* Runs the command; its wait status.  A Ctrl-C or Ctrl-\ is the command's: it dies of it, or not, and the figures are still printed. */
static int run(char **argv)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_int, old_quit;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die(125, "fork");
	if (!pid)
		exec(argv);
	sigaction(SIGINT, &ignore, &old_int);
	sigaction(SIGQUIT, &ignore, &old_quit);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die(125, "wait");
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGQUIT, &old_quit, NULL);
	return status;
}

static int run_and_print(char **argv)
{
	struct faultstat before, after;

	get(FAULTSTAT_CHILDREN, 0, &before);
	int status = run(argv);
	get(FAULTSTAT_CHILDREN, 0, &after);
	subtract(&after, &before);
	if (WIFSIGNALED(status))
		fprintf(out, "Command terminated by signal %d\n", WTERMSIG(status));
	print(&after, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static const char usage[] =
	"usage: faults [-o FILE] [--json] CMD...   the page faults that a command takes\n"
	"       faults [-o FILE] [--json] -p PID   those of a process so far\n"
	"       faults [-o FILE] [--json] -s       those of the whole system since boot\n"
	"Prints one line for each class of fault that occurred: how many, what they cost in all, and each.\n"
	"  -o FILE   print there and not on stderr\n"
	"  --json    as JSON\n"
	"Exit status: that of the command, 128+N if signal N ended it, 126 if it cannot be run, 127 if it is not there; 125 for faults itself.\n";

int main(int argc, char **argv)
{
	static const struct option options[] = { { "json", 0, 0, 'j' }, { "help", 0, 0, 'h' }, { "output", 1, 0, 'o' }, { 0 } };
	struct faultstat stat;
	int o, system = 0;
	pid_t pid = 0;

	out = stderr;
	while ((o = getopt_long(argc, argv, "+o:p:sh", options, NULL)) != -1)
		switch (o) {
		case 'o':
			out = fopen(optarg, "we");
			if (!out)
				die(125, optarg);
			break;
		case 'p':
			pid = atoi(optarg);
			if (pid <= 0) {
				fprintf(stderr, "faults: '%s' is not a process number\n", optarg);
				return 125;
			}
			break;
		case 's': system = 1; break;
		case 'j': json = 1; break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 125;
		}
	if ((optind < argc) + system + (pid != 0) != 1) {
		fputs(usage, stderr);
		return 125;
	}
	if (optind < argc)
		return run_and_print(argv + optind);
	get(system ? FAULTSTAT_SYSTEM : FAULTSTAT_PROCESS, pid, &stat);
	print(&stat, system);
	return 0;
}
