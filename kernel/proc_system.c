/*
 * kernel/proc_system.c - the texts of /proc about the whole machine, in the formats of Linux (proc(5)); and the table of what /proc contains.
 */
#include "arch/mmu.h"
#include "fs/fat.h"
#include "fs/unix.h"
#include "kernel/clock.h"
#include "kernel/life.h"
#include "kernel/proc.h"
#include "kernel/random.h"
#include "kernel/sched.h"
#include "kernel/settings.h"
#include "kernel/system.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/account.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/kspace.h"
#include "vm/physmap.h"
#include "vm/reclaim.h"

/* ---- memory ---------------------------------------------------------------------------- */

/* How many frames are what, by one walk over the page words and one over the objects. */
struct census { size_t anonymous, files, active, mapped, borrowed, shared, tables, stacks; };

static void count_record(void *census, struct page_record *r)
{
	struct census *c = census;
	if (r->borrowed) {
		c->borrowed++;
		return;
	}
	c->mapped += record_entries(r) > 0;
	if (r->object->pager) {
		c->files++;
		c->active += r->used || record_entries(r) > 0;
	} else {
		c->shared++;
	}
}

/* The words change meanwhile, and what they point to may go: each is looked at once, for itself. */
static struct census count_frames(void)
{
	struct census c = { 0 };
	size_t n;
	const struct phys_range *ram = physmap_ram(&n);

	for (size_t i = 0; i < n; i++) {
		for (pfn_t pfn = ram[i].start; pfn < ram[i].end; pfn++) {
			page_word w = page_word_of(pfn);
			switch (page_type(w)) {
			case PAGE_FREE:
				pfn += ((pfn_t)1 << page_order(w)) - 1;
				break;
			case PAGE_ANON:
				c.anonymous++;
				break;
			case PAGE_TABLE:
				c.tables++;
				break;
			case PAGE_KERNEL:
				c.stacks += page_use(w) == USE_STACK ? (size_t)1 << page_order(w) : 0;
				break;
			default:
				break;
			}
		}
	}
	object_each_of_all(count_record, &c);
	return c;
}

/*
 * Borrowed pages lie in the boot image, which is not among the managed frames: they are in no figure here.  MemAvailable counts what reclaim can give back.
 */
int proc_make_meminfo(struct text *t, struct vnode *v, void *arg)
{
	struct frame_stats f;
	struct heap_stats heap;
	struct census c = count_frames();
	(void)v, (void)arg;
	frame_get_stats(&f);
	heap_get_stats(&heap);
	size_t available = f.free + reclaim_stats.pages > f.reserve + RECLAIM_YOUNGEST ? f.free + reclaim_stats.pages - f.reserve - RECLAIM_YOUNGEST : 0;
	const struct { const char *name; unsigned long kb; } lines[] = {
		{ "MemTotal:", KB(f.managed) }, { "MemFree:", KB(f.free) }, { "MemAvailable:", KB(available) },
		{ "Buffers:", 0 }, { "Cached:", KB(c.files + c.shared) }, { "SwapCached:", 0 },
		{ "Active:", KB(c.anonymous + c.active + c.shared) }, { "Inactive:", KB(c.files - c.active) },
		{ "Active(anon):", KB(c.anonymous + c.shared) }, { "Inactive(anon):", 0 }, { "Active(file):", KB(c.active) }, { "Inactive(file):", KB(c.files - c.active) },
		{ "Unevictable:", 0 }, { "Mlocked:", 0 }, { "SwapTotal:", 0 }, { "SwapFree:", 0 }, { "Dirty:", 0 }, { "Writeback:", 0 },
		{ "AnonPages:", KB(c.anonymous) }, { "Mapped:", KB(c.mapped) }, { "Shmem:", KB(c.shared) },
		{ "KReclaimable:", 0 }, { "Slab:", KB(heap.slab_frames + heap.large_frames) }, { "SReclaimable:", 0 },
		{ "SUnreclaim:", KB(heap.slab_frames + heap.large_frames) }, { "KernelStack:", KB(c.stacks) }, { "PageTables:", KB(c.tables) },
		{ "CommitLimit:", KB(commit_limit()) }, { "Committed_AS:", KB(commit_total()) },
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		text_print(t, "%-16s%8lu kB\n", lines[i].name, lines[i].kb);
	text_print(t, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB\n");
	return 0;
}

static int make_vmstat(struct text *t, struct vnode *v, void *arg)
{
	struct census c = count_frames();
	struct fault_stats faults = stats_system();
	uint64_t major = stats_major(&faults), all = stats_minor(&faults) + major;
	(void)v, (void)arg;
	text_print(t, "nr_free_pages %zu\nnr_anon_pages %zu\nnr_mapped %zu\nnr_file_pages %zu\nnr_shmem %zu\nnr_page_table_pages %zu\n",
		frame_free_count(), c.anonymous, c.mapped, c.files + c.shared, c.shared, c.tables);
	text_print(t, "pgpgin %lu\npgpgout 0\npswpin 0\npswpout 0\npgfault %lu\npgmajfault %lu\npgscan_direct %lu\npgsteal_direct %lu\noom_kill %lu\n",
		(unsigned long)KB(system_pages_read), (unsigned long)all, (unsigned long)major, (unsigned long)reclaim_stats.scanned,
		(unsigned long)reclaim_stats.stolen, (unsigned long)oom_kills);
	return 0;
}

static const char *const zone_names[ZONES] = { "DMA", "DMA32", "Normal" };

static int make_buddyinfo(struct text *t, struct vnode *v, void *arg)
{
	struct frame_stats f;
	(void)v, (void)arg;
	frame_get_stats(&f);
	for (int z = 0; z < ZONES; z++) {
		text_print(t, "Node 0, zone %8s ", zone_names[z]);
		for (int order = 0; order <= FRAME_MAX_ORDER; order++)
			text_print(t, "%6zu ", f.free_blocks[z][order]);
		text_print(t, "\n");
	}
	return 0;
}

void proc_print_faults(struct text *t, const struct fault_stats *s)
{
	static const char *const class[] = FAULT_CLASS_NAMES, *const flag[] = FAULT_FLAG_NAMES;
	text_print(t, "%-20s %12s %16s\n", "class", "faults", "cycles");
	for (int i = 0; i < FAULT_CLASSES; i++)
		text_print(t, "%-20s %12lu %16lu\n", class[i], (unsigned long)s->count[i], (unsigned long)s->cost[i]);
	for (int i = 0; i < FAULT_FLAGS; i++)
		text_print(t, "flag:%-15s %12lu\n", flag[i], (unsigned long)s->flags[i]);
	text_print(t, "%-20s %12lu\n", "pages-around", (unsigned long)s->neighbours);
}

static int make_faults(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	struct fault_stats faults = stats_system();
	struct tlb_stats tlb = mmu_tlb_stats();
	proc_print_faults(t, &faults);
	text_print(t, "%-20s %12lu\n%-20s %12lu\n%-20s %12lu\n%-20s %12lu\n%-20s %12lu\n", "pages-read", (unsigned long)system_pages_read,
		"tlb-pages", (unsigned long)tlb.pages, "tlb-full", (unsigned long)tlb.full, "tlb-loads", (unsigned long)tlb.loads, "tlb-interrupts", (unsigned long)tlb.interrupts);
	return 0;
}

/* ---- time and load ------------------------------------------------------------------------- */

static void print_times(struct text *t, const struct sched_stats *s)
{
	text_print(t, " %lu 0 %lu %lu 0 0 0 0 0 0\n", (unsigned long)(s->time.user_ns / NS_PER_TICK), (unsigned long)(s->time.kernel_ns / NS_PER_TICK),
		(unsigned long)(s->idle_ns / NS_PER_TICK));
}

static int make_stat(struct text *t, struct vnode *v, void *arg)
{
	struct sched_stats s = sched_stats_all();
	(void)v, (void)arg;
	text_print(t, "cpu ");
	print_times(t, &s);
	for (unsigned i = 0; i < cpu_count; i++) {
		struct sched_stats one = sched_stats_of(i);
		text_print(t, "cpu%u", i);
		print_times(t, &one);
	}
	text_print(t, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %u\nprocs_blocked 0\n",
		(unsigned long)s.interrupts, (unsigned long)s.switches,
		(unsigned long)(clock_boot_realtime_ns() / NS_PER_SECOND), (unsigned long)s.forks, sched_runnable());
	return 0;
}

static int make_uptime(struct text *t, struct vnode *v, void *arg)
{
	uint64_t up = time_now_ns() / (NS_PER_SECOND / 100), idle = sched_stats_all().idle_ns / (NS_PER_SECOND / 100);
	(void)v, (void)arg;
	text_print(t, "%lu.%02lu %lu.%02lu\n", (unsigned long)(up / 100), (unsigned long)(up % 100), (unsigned long)(idle / 100),
		(unsigned long)(idle % 100));
	return 0;
}

static int make_loadavg(struct text *t, struct vnode *v, void *arg)
{
	const unsigned long one = 1ul << LOAD_SHIFT;
	unsigned long load[3];
	(void)v, (void)arg;
	load_get(load);
	for (int i = 0; i < 3; i++) {
		unsigned long rounded = load[i] + one / 200;
		text_print(t, "%lu.%02lu ", rounded >> LOAD_SHIFT, (rounded & (one - 1)) * 100 >> LOAD_SHIFT);
	}
	text_print(t, "%u/%zu %d\n", sched_runnable(), process_count(), process_last_pid());
	return 0;
}

/* ---- the machine ------------------------------------------------------------------------------ */

static int make_cpuinfo(struct text *t, struct vnode *v, void *arg)
{
	char *description = kmalloc(CPU_DESCRIPTION_BYTES);
	(void)v, (void)arg;
	if (!description)
		return -ENOMEM;
	for (unsigned i = 0; i < cpu_count; i++) {
		cpu_describe(i, description, CPU_DESCRIPTION_BYTES);
		text_print(t, "%s", description);
	}
	kfree(description);
	return 0;
}

static int make_interrupts(struct text *t, struct vnode *v, void *arg)
{
	const struct interrupt_source *source;
	(void)v, (void)arg;
	text_print(t, "     ");
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		text_print(t, "%*sCPU%-6u", cpu > 9 ? 4 : 5, "", cpu);
	for (unsigned i = 0; (source = cpu_interrupt_source(i)); i++) {
		text_print(t, "\n%3s: ", source->name);
		for (unsigned cpu = 0; cpu < cpu_count; cpu++)
			text_print(t, "%10lu ", (unsigned long)source->count[cpu]);
		text_print(t, "  %s", source->what);
	}
	text_print(t, "\n");
	return 0;
}

static int make_partitions(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "major minor  #blocks  name\n\n");
	return 0;
}

/* What of a zone Linux shows that has a meaning here; managed memory is not told apart by zones. */
static int make_zoneinfo(struct text *t, struct vnode *v, void *arg)
{
	struct frame_stats f;
	(void)v, (void)arg;
	frame_get_stats(&f);
	for (int z = 0; z < ZONES; z++) {
		size_t free = 0;
		for (int order = 0; order <= FRAME_MAX_ORDER; order++)
			free += f.free_blocks[z][order] << order;
		text_print(t, "Node 0, zone %8s\n  pages free     %zu\n        min      %zu\n        low      %zu\n      nr_free_pages %zu\n", zone_names[z], free,
			z == ZONE_DMA32 ? f.reserve : 0, z == ZONE_DMA32 ? frame_level.low : 0, free);
	}
	return 0;
}

/* A line for each name of a lock: how often one of that name was not to be had at once. */
static int make_lock_stat(struct text *t, struct vnode *v, void *arg)
{
	const struct lock_stat *s = lock_stats();
	(void)v, (void)arg;
	for (unsigned i = 0; i < LOCK_STATS; i++)
		if (s[i].contended)
			text_print(t, "%s\t%lu\n", s[i].name ? s[i].name : "others", s[i].contended);
	return 0;
}

static int make_version(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "%s version %s (faultline) (gcc " __VERSION__ ") %s\n", SYSTEM_OS, SYSTEM_RELEASE, SYSTEM_VERSION);
	return 0;
}

static int make_cmdline(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "%s\n", system_cmdline());
	return 0;
}

static int make_filesystems(struct text *t, struct vnode *v, void *arg)
{
	bool on_device;
	const char *type;

	(void)v, (void)arg;
	for (unsigned i = 0; (type = file_system_type(i, &on_device)); i++)
		text_print(t, "%s\t%s\n", on_device ? "" : "nodev", type);
	return 0;
}

static int make_devices(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n");
	return 0;
}

static int make_swaps(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

static int make_nothing(struct text *t, struct vnode *v, void *arg)
{
	(void)t, (void)v, (void)arg;
	return 0;
}

/* kernel/config, packed as on Linux: it is there when this file is compiled. */
__asm__ (".pushsection .rodata\nconfig_gz: .incbin \"build/config.gz\"\nconfig_gz_end: .popsection");
extern const char config_gz[], config_gz_end[];

static int make_config(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_append(t, config_gz, (size_t)(config_gz_end - config_gz));
	return 0;
}

/* ---- /proc/sys ----------------------------------------------------------------------------------- */

static int make_constant(struct text *t, struct vnode *v, void *arg)
{
	static const struct { const char *name, *value; } constants[] = {
		{ "ostype", SYSTEM_OS }, { "osrelease", SYSTEM_RELEASE }, { "version", SYSTEM_VERSION }, { "arch", SYSTEM_MACHINE }, { "ngroups_max", "65536" },
		{ "cap_last_cap", "40" }, { "entropy_avail", "256" }, { "poolsize", "256" }, { "overflowuid", "65534" }, { "overflowgid", "65534" }, { "tainted", "0" },
		{ "sched_rr_timeslice_ms", "30" }, { "printk", "7\t4\t1\t7" }, { "dmesg_restrict", "0" }, { "core_uses_pid", "0" }, { "core_pattern", "core" },
		{ "max_map_count", "65530" }, { "swappiness", "0" }, { "mmap_min_addr", "65536" }, { "nr_hugepages", "0" }, { "nr_overcommit_hugepages", "0" },
		{ "oom_kill_allocating_task", "0" }, { "panic_on_oom", "0" }, { "page-cluster", "0" }, { "legacy_va_layout", "0" },
		{ "file-max", "1048576" },
		{ "max_queued_events", "16384" }, { "max_user_watches", "65536" }, { "suid_dumpable", "0" },
	};
	const struct proc_node *n = arg;
	(void)v;
	for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
		if (strcmp(constants[i].name, n->entry->name) == 0)
			text_print(t, "%s\n", constants[i].value);
	return 0;
}

static enum system_name name_of(const struct proc_node *n)
{
	return strcmp(n->entry->name, "hostname") == 0 ? SYSTEM_HOST : SYSTEM_DOMAIN;
}

static int make_name(struct text *t, struct vnode *v, void *arg)
{
	char name[SYSTEM_NAME_SIZE];
	(void)v;
	system_get_name(name_of(arg), name);
	text_print(t, "%s\n", name);
	return 0;
}

/* What was written, without the line end that echo adds. */
static size_t without_newline(const char *string, size_t len)
{
	return len && string[len - 1] == '\n' ? len - 1 : len;
}

static int take_name(struct vnode *v, void *arg, char *string, size_t len)
{
	(void)v;
	len = without_newline(string, len);
	if (len >= SYSTEM_NAME_SIZE)
		return -EINVAL;
	system_set_name(name_of(arg), string, len);
	return 0;
}

static struct spinlock boot_id_lock = SPINLOCK_INIT("boot id", RANK_LEAF);
static unsigned char boot_id[16];		/* boot_id_lock; zeros: nobody has asked yet */

/* A random UUID (version 4, RFC 4122); boot_id keeps the first one. */
static int make_uuid(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	unsigned char id[16];
	(void)v;
	random_bytes(id, sizeof id);
	id[6] = (unsigned char)((id[6] & 0x0f) | 0x40);
	id[8] = (unsigned char)((id[8] & 0x3f) | 0x80);
	if (strcmp(n->entry->name, "boot_id") == 0) {
		spin_lock(&boot_id_lock);
		if (boot_id[6] == 0)
			memcpy(boot_id, id, sizeof id);
		memcpy(id, boot_id, sizeof id);
		spin_unlock(&boot_id_lock);
	}
	for (int i = 0; i < 16; i++)
		text_print(t, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
	text_print(t, "\n");
	return 0;
}

static int make_setting(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	const struct setting *s = setting_find(n->entry->name);
	(void)v;
	for (unsigned i = 0; i < SETTING_WORDS && s->words[i]; i++) {
		bool set = i == *s->value;
		if (s->shows_all)
			text_print(t, set ? "%s[%s]" : "%s%s", i ? " " : "", s->words[i]);
		else if (set)
			text_print(t, "%s", s->words[i]);
	}
	text_print(t, "\n");
	return 0;
}

static int take_setting(struct vnode *v, void *arg, char *string, size_t len)
{
	const struct proc_node *n = arg;
	(void)v;
	return setting_take(setting_find(n->entry->name), string, without_newline(string, len));
}

/* As on Linux: 1 page cache, 2 names and inodes, 3 both; here files that nobody has open are forgotten, with their pages, by any of them. */
static int take_drop_caches(struct vnode *v, void *arg, char *string, size_t len)
{
	(void)v, (void)arg;
	len = without_newline(string, len);
	if (len != 1 || string[0] < '1' || string[0] > '3')
		return -EINVAL;
	vnode_drop_idle();
	if (string[0] != '1')			/* what is kept besides pages */
		kstack_drop();
	return 0;
}

/* Numbers that can be changed (kernel/settings.c). */
static int make_number(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	(void)v;
	text_print(t, "%lu\n", (unsigned long)__atomic_load_n(number_find(n->entry->name)->value, __ATOMIC_RELAXED));
	return 0;
}

static int take_number(struct vnode *v, void *arg, char *string, size_t len)
{
	const struct proc_node *n = arg;
	(void)v;
	return number_take(number_find(n->entry->name), string, without_newline(string, len));
}

static int make_min_free(struct text *t, struct vnode *v, void *arg)
{
	struct frame_stats f;
	(void)v, (void)arg;
	frame_get_stats(&f);
	text_print(t, "%lu\n", KB(f.reserve));
	return 0;
}

/* Vnodes in use, and none that is kept free for later. */
static int make_inode_nr(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	(void)v;
	text_print(t, strcmp(n->entry->name, "inode-state") == 0 ? "%zu\t0\t0\t0\t0\t0\t0\n" : "%zu\t0\n", vnode_count());
	return 0;
}

static int make_file_nr(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	text_print(t, "%zu\t0\t1048576\n", file_count());
	return 0;
}

/*
 * overcommit_memory is the policy; of overcommit_kbytes and overcommit_ratio the one that was written last counts.  Words, each read whole: a limit that is
 * asked for in between is by the old one or by the new one.
 */
static int make_overcommit(struct text *t, struct vnode *v, void *arg)
{
	const struct proc_node *n = arg;
	(void)v;
	switch (n->entry->name[sizeof "overcommit_" - 1]) {
	case 'k':
		text_print(t, "%zu\n", overcommit.kbytes);
		break;
	case 'm':
		text_print(t, "%u\n", overcommit.mode);
		break;
	default:
		text_print(t, "%u\n", overcommit.ratio);
	}
	return 0;
}

static int take_overcommit(struct vnode *v, void *arg, char *string, size_t len)
{
	const struct proc_node *n = arg;
	long value;
	(void)v, (void)len;
	int error = proc_parse_int(string, &value);
	if (error || value < 0)
		return -EINVAL;
	switch (n->entry->name[sizeof "overcommit_" - 1]) {
	case 'k':
		__atomic_store_n(&overcommit.kbytes, (size_t)value, __ATOMIC_RELEASE);
		__atomic_store_n(&overcommit.ratio, 0, __ATOMIC_RELEASE);
		break;
	case 'm':
		if (value > OVERCOMMIT_NEVER)
			return -EINVAL;
		overcommit.mode = (unsigned)value;
		break;
	default:
		__atomic_store_n(&overcommit.ratio, (unsigned)value, __ATOMIC_RELEASE);
		__atomic_store_n(&overcommit.kbytes, 0, __ATOMIC_RELEASE);
	}
	return 0;
}

static int make_unix(struct text *t, struct vnode *v, void *arg)
{
	(void)v, (void)arg;
	unix_print_all(t);
	return 0;
}

/* ---- the tables ------------------------------------------------------------------------------------- */

#define TEXT(name_, ...) static const struct synth name_ = { __VA_ARGS__ }
TEXT(constant_text, .make = make_constant);
TEXT(number_text, .make = make_number, .take = take_number);
TEXT(min_free_text, .make = make_min_free);
TEXT(inode_nr_text, .make = make_inode_nr);
TEXT(name_text, .make = make_name, .take = take_name);
TEXT(uuid_text, .make = make_uuid);
const struct synth proc_setting_text = { .make = make_setting, .take = take_setting };
TEXT(drop_caches_text, .make = make_nothing, .take = take_drop_caches);
TEXT(file_nr_text, .make = make_file_nr);
TEXT(overcommit_text, .make = make_overcommit, .take = take_overcommit);
TEXT(buddyinfo_text, .make = make_buddyinfo);
TEXT(cmdline_text, .make = make_cmdline);
TEXT(config_text, .make = make_config);
TEXT(cpuinfo_text, .make = make_cpuinfo);
TEXT(interrupts_text, .make = make_interrupts);
TEXT(partitions_text, .make = make_partitions);
TEXT(zoneinfo_text, .make = make_zoneinfo);
TEXT(lock_stat_text, .make = make_lock_stat);
TEXT(devices_text, .make = make_devices);
TEXT(nothing_text, .make = make_nothing);
TEXT(faults_text, .make = make_faults);
TEXT(filesystems_text, .make = make_filesystems);
TEXT(loadavg_text, .make = make_loadavg);
TEXT(meminfo_text, .make = proc_make_meminfo);
TEXT(stat_text, .make = make_stat);
TEXT(swaps_text, .make = make_swaps);
TEXT(unix_text, .make = make_unix);
TEXT(uptime_text, .make = make_uptime);
TEXT(version_text, .make = make_version);
TEXT(vmstat_text, .make = make_vmstat);

#define FILE(name_, mode_, text_)	{ .name = name_, .mode = S_IFREG | (mode_), .text = &(text_) }
#define SETTING(name_, mode_, text_)	{ .name = name_, .mode = S_IFREG | (mode_), .text = &(text_), .setting = true }
#define CONSTANT(name_)			SETTING(name_, 0444, constant_text)
#define DIRECTORY(name_, inside_)	{ .name = name_, .mode = S_IFDIR | 0555, .inside = inside_ }
#define FRAMES(name_, ops_)		{ .name = name_, .mode = S_IFREG | 0400, .ops = &(ops_) }
#define NUMBER(name_)			SETTING(name_, 0644, number_text)
#define END				{ .name = NULL }

static const struct proc_entry random_entries[] = {
	SETTING("boot_id", 0444, uuid_text), CONSTANT("entropy_avail"), CONSTANT("poolsize"), SETTING("uuid", 0444, uuid_text), END
};
static const struct proc_entry kernel_entries[] = {
	CONSTANT("arch"), CONSTANT("cap_last_cap"), CONSTANT("core_pattern"), CONSTANT("core_uses_pid"), CONSTANT("dmesg_restrict"),
	SETTING("domainname", 0644, name_text), SETTING("hostname", 0644, name_text), NUMBER("msgmax"), NUMBER("msgmnb"), NUMBER("msgmni"), CONSTANT("ngroups_max"),
	CONSTANT("osrelease"), CONSTANT("ostype"), CONSTANT("overflowgid"), CONSTANT("overflowuid"), NUMBER("pid_max"), CONSTANT("printk"),
	DIRECTORY("random", random_entries), SETTING("randomize_va_space", 0644, proc_setting_text), CONSTANT("sched_rr_timeslice_ms"), SETTING("sem", 0444, proc_sem_limits_text), NUMBER("shmall"), NUMBER("shmmax"),
	NUMBER("shmmni"), CONSTANT("tainted"), NUMBER("threads-max"), CONSTANT("version"), END
};
static const struct proc_entry vm_entries[] = {
	SETTING("drop_caches", 0200, drop_caches_text), SETTING("fault_ahead", 0644, proc_setting_text), SETTING("fork", 0644, proc_setting_text), CONSTANT("legacy_va_layout"), CONSTANT("max_map_count"),
	SETTING("min_free_kbytes", 0444, min_free_text), CONSTANT("mmap_min_addr"), CONSTANT("nr_hugepages"), CONSTANT("nr_overcommit_hugepages"),
	CONSTANT("oom_kill_allocating_task"), SETTING("overcommit_kbytes", 0644, overcommit_text), SETTING("overcommit_memory", 0644, overcommit_text),
	SETTING("overcommit_ratio", 0644, overcommit_text), CONSTANT("page-cluster"), SETTING("pager", 0644, proc_setting_text), CONSTANT("panic_on_oom"),
	CONSTANT("swappiness"), END
};
static const struct proc_entry inotify_entries[] = { CONSTANT("max_queued_events"), CONSTANT("max_user_watches"), END };
static const struct proc_entry mqueue_entries[] = {
	NUMBER("msg_default"), NUMBER("msg_max"), NUMBER("msgsize_default"), NUMBER("msgsize_max"), NUMBER("queues_max"), END
};
static const struct proc_entry fs_entries[] = {
	CONSTANT("file-max"), SETTING("file-nr", 0444, file_nr_text), SETTING("inode-nr", 0444, inode_nr_text), SETTING("inode-state", 0444, inode_nr_text),
	DIRECTORY("inotify", inotify_entries), DIRECTORY("mqueue", mqueue_entries),
	NUMBER("nr_open"), CONSTANT("overflowgid"), CONSTANT("overflowuid"), NUMBER("pipe-max-size"), CONSTANT("suid_dumpable"), END
};
static const struct proc_entry sys_entries[] = {
	DIRECTORY("fs", fs_entries), DIRECTORY("kernel", kernel_entries), DIRECTORY("vm", vm_entries), END
};
static const struct proc_entry sysvipc_entries[] = {
	FILE("msg", 0444, proc_msg_text), FILE("sem", 0444, proc_sem_text), FILE("shm", 0444, proc_shm_text), END
};
/* /proc/mounts and /proc/net are those of the process that looks. */
static ssize own_readlink(struct vnode *v, char *to, size_t size)
{
	const struct proc_node *node = v->data;
	char target[32];
	size_t n = (size_t)snprintf(target, sizeof target, "self/%s", node->entry->name);

	n = n < size ? n : size;
	memcpy(to, target, n);
	return (ssize)n;
}
static const struct vnode_ops own_ops = { .readlink = own_readlink };
const struct proc_entry proc_net_entries[] = { FILE("unix", 0444, unix_text), END };

const struct proc_entry proc_root_entries[] = {
	FILE("buddyinfo", 0444, buddyinfo_text), FILE("cmdline", 0444, cmdline_text), FILE("config.gz", 0444, config_text), FILE("cpuinfo", 0444, cpuinfo_text),
	FILE("devices", 0444, devices_text), FILE("diskstats", 0444, nothing_text), FILE("faults", 0444, faults_text),
	FILE("filesystems", 0444, filesystems_text), FILE("interrupts", 0444, interrupts_text),
	FRAMES("kpagecount", proc_kpagecount_ops), FRAMES("kpageflags", proc_kpageflags_ops), FILE("loadavg", 0444, loadavg_text), FILE("lock_stat", 0444, lock_stat_text), FILE("meminfo", 0444, meminfo_text),
	FILE("modules", 0444, nothing_text), { .name = "mounts", .mode = S_IFLNK | 0777, .ops = &own_ops },
	{ .name = "net", .mode = S_IFLNK | 0777, .ops = &own_ops }, FILE("partitions", 0444, partitions_text),
	{ .name = "self", .mode = S_IFLNK | 0777, .ops = &proc_self_ops }, FILE("stat", 0444, stat_text), FILE("swaps", 0444, swaps_text),
	DIRECTORY("sys", sys_entries), DIRECTORY("sysvipc", sysvipc_entries), { .name = "thread-self", .mode = S_IFLNK | 0777, .ops = &proc_thread_self_ops },
	FILE("uptime", 0444, uptime_text), FILE("version", 0444, version_text), FILE("vmstat", 0444, vmstat_text), FILE("zoneinfo", 0444, zoneinfo_text), END
};
