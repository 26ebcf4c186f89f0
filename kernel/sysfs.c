/*
 * kernel/sysfs.c - what /sys contains: processors, the one memory node, and settings of the memory.
 *
 * The tree's mechanism is that of /proc (proc.c).  All processors that are possible run, in one package, each a core of its own.
 */
#include "kernel/proc.h"
#include "kernel/settings.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/frame.h"

/* ---- lists and masks of processors ------------------------------------------------------------ */

static void print_list(struct text *t, unsigned first, unsigned last)
{
	text_print(t, first == last ? "%u\n" : "%u-%u\n", first, last);
}

static void print_mask(struct text *t, unsigned first, unsigned last)
{
	text_print(t, "%lx\n", (~0ul >> (63 - last)) & ~0ul << first);
}

/* Files about several processors: the name says which, and ends in _list or list where a list is meant, not a mask. */
static int make_processors(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	const char *name = n->entry->name;
	size_t len = strlen(name);
	bool alone = strncmp(name, "core_cpus", 9) == 0 || strncmp(name, "thread_", 7) == 0 || strncmp(name, "cluster_", 8) == 0;
	unsigned first = alone ? (unsigned)n->fd : 0, last = alone ? (unsigned)n->fd : cpu_count - 1;
	(void)v;
	if ((len > 4 && strcmp(name + len - 4, "list") == 0) || strcmp(name, "online") == 0 || strcmp(name, "possible") == 0 || strcmp(name, "present") == 0)
		print_list(t, first, last);
	else
		print_mask(t, first, last);
	return 0;
}

static int make_constant(struct text *t, struct vnode *v, void *arg)
{
	static const struct { const char *name, *value; } constants[] = {
		{ "offline", "" }, { "isolated", "" }, { "cluster_id", "65535" }, { "die_id", "0" }, { "physical_package_id", "0" },
		{ "has_cpu", "0" }, { "has_memory", "0" }, { "has_normal_memory", "0" }, { "online", "0" }, { "possible", "0" }, { "distance", "10" },
		{ "hpage_pmd_size", "2097152" }, { "use_zero_page", "0" }, { "active", "0" }, { "control", "notsupported" },
	};
	const struct proc_node *n = arg;
	(void)v;
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		if (strcmp(constants[i].name, n->entry->name) == 0)
			text_print(t, "%s\n", constants[i].value);
	return 0;
}

static int make_core_id(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	(void)v;
	text_print(t, "%d\n", n->fd);
	return 0;
}

static int make_kernel_max(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "%d\n", CPUS_MAX - 1);
	return 0;
}

/* ---- node0 -------------------------------------------------------------------------------------- */

/* As /proc/meminfo, with the node's number before each line. */
static int make_node_meminfo(struct text *t, struct vnode *v, void *arg)
{
	struct text all = { .error = 0 };
	int error = proc_make_meminfo(&all, v, arg);
	error = error ? error : all.error;
	for (size_t at = 0; !error && at < all.len; ) {
		const char *line = all.at + at, *end = memchr(line, '\n', all.len - at);
		size_t len = end ? (size_t)(end - line) + 1 : all.len - at;
		text_print(t, "Node 0 %.*s", (int)len, line);
		at += len;
	}
	text_free(&all);
	return error;
}

/* All memory is at hand for all: what is handed out is a hit. */
static int make_numastat(struct text *t, struct vnode *v, void *arg)
{
	struct frame_stats f;
	(void)v, (void)arg;
	frame_get_stats(&f);
	unsigned long used = f.managed - f.free;
	text_print(t, "numa_hit %lu\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node %lu\nother_node 0\n", used, used);
	return 0;
}

/* ---- the tables --------------------------------------------------------------------------------- */

#define TEXT(name_, ...) static const struct synth name_ = { __VA_ARGS__ }
TEXT(processors_text, .make = make_processors);
TEXT(constant_text, .make = make_constant);
TEXT(core_id_text, .make = make_core_id);
TEXT(kernel_max_text, .make = make_kernel_max);
TEXT(node_meminfo_text, .make = make_node_meminfo);
TEXT(numastat_text, .make = make_numastat);

#define FILE(name_, mode_, text_)	{ .name = name_, .mode = S_IFREG | (mode_), .text = &(text_) }
#define CONSTANT(name_)			FILE(name_, 0444, constant_text)
#define PROCESSORS(name_)		FILE(name_, 0444, processors_text)
#define DIRECTORY(name_, inside_)	{ .name = name_, .mode = S_IFDIR | 0555, .inside = inside_ }
#define END				{ .name = NULL }

static const struct proc_entry topology_entries[] = {
	PROCESSORS("cluster_cpus"), PROCESSORS("cluster_cpus_list"), CONSTANT("cluster_id"), PROCESSORS("core_cpus"), PROCESSORS("core_cpus_list"),
	FILE("core_id", 0444, core_id_text), PROCESSORS("core_siblings"), PROCESSORS("core_siblings_list"), PROCESSORS("die_cpus"),
	PROCESSORS("die_cpus_list"), CONSTANT("die_id"), PROCESSORS("package_cpus"), PROCESSORS("package_cpus_list"), CONSTANT("physical_package_id"),
	PROCESSORS("thread_siblings"), PROCESSORS("thread_siblings_list"), END
};
static const struct proc_entry one_cpu_entries[] = { DIRECTORY("topology", topology_entries), END };
static const struct proc_entry smt_entries[] = { CONSTANT("active"), CONSTANT("control"), END };
static const struct proc_entry cpu_entries[] = {
	CONSTANT("isolated"), FILE("kernel_max", 0444, kernel_max_text), CONSTANT("offline"), PROCESSORS("online"), PROCESSORS("possible"),
	PROCESSORS("present"), DIRECTORY("smt", smt_entries), END
};
static const struct proc_entry node0_entries[] = {
	PROCESSORS("cpulist"), PROCESSORS("cpumap"), CONSTANT("distance"), FILE("meminfo", 0444, node_meminfo_text), FILE("numastat", 0444, numastat_text), END
};
static const struct proc_entry node_entries[] = {
	CONSTANT("has_cpu"), CONSTANT("has_memory"), CONSTANT("has_normal_memory"), DIRECTORY("node0", node0_entries), CONSTANT("online"), CONSTANT("possible"), END
};
static const struct proc_entry system_entries[] = {
	{ .name = "cpu", .mode = S_IFDIR | 0555, .inside = cpu_entries, .ops = &sys_cpu_ops }, DIRECTORY("node", node_entries), END
};
static const struct proc_entry devices_entries[] = { DIRECTORY("system", system_entries), END };
static const struct proc_entry huge_entries[] = {
	FILE("enabled", 0644, proc_setting_text), CONSTANT("hpage_pmd_size"), CONSTANT("use_zero_page"), END
};
static const struct proc_entry mm_entries[] = { DIRECTORY("transparent_hugepage", huge_entries), END };
static const struct proc_entry kernel_entries[] = { DIRECTORY("mm", mm_entries), END };
const struct proc_entry sys_root_entries[] = { DIRECTORY("devices", devices_entries), DIRECTORY("kernel", kernel_entries), END };
const struct proc_entry sys_cpu_entry = DIRECTORY("cpu", one_cpu_entries);
