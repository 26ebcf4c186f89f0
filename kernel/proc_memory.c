/*
 * kernel/proc_memory.c - the texts of /proc/PID that need its address space: maps, smaps, statm, cmdline, environ.
 *
 * The space is taken with a reference and read under its own lock, a region or page at a time; the process may exit meanwhile.
 * The bytes of the arguments are read through the direct map, where they are resident: the process wrote them, and nothing is taken
 * away from it again.
 */
#include "kernel/proc.h"
#include "lib/string.h"
#include "vm/report.h"

enum secrecy { FOR_ALL, FOR_OWNER };

/* The process's address space with a reference; NULL: it has none (any more); -EACCES: it is not the caller's to see. */
static int space_of(const struct proc_node *n, enum secrecy secrecy, struct space **out)
{
	struct process *p = proc_lock_process(n);
	*out = NULL;
	if (!p)
		return 0;
	bool allowed = secrecy == FOR_ALL || proc_may_inspect(p);
	if (allowed && p->space)
		*out = space_ref(p->space);
	proc_unlock_process();
	return allowed ? 0 : -EACCES;
}

static void print_region(struct text *t, const struct region_info *r)
{
	enum { NAME_COLUMN = 73 };
	size_t start = t->len;
	text_print(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", (unsigned long)r->start, (unsigned long)r->end,
		r->rights & VM_READ ? 'r' : '-', r->rights & VM_WRITE ? 'w' : '-', r->rights & VM_EXEC ? 'x' : '-',
		r->flags & REGION_SHARED ? 's' : 'p', r->object ? (unsigned long)r->offset : 0, (unsigned)(r->dev >> 8), (unsigned)(r->dev & 0xff),
		(unsigned long)r->ino);
	if (r->name[0]) {
		size_t used = t->len - start;
		text_print(t, "%*s%s", used < NAME_COLUMN ? (int)(NAME_COLUMN - used) : 1, "", r->name);
	}
	text_print(t, "\n");
}

static int make_maps(struct text *t, struct vnode *v, void *arg)
{
	struct space *s;
	int error = space_of(arg, FOR_OWNER, &s);
	struct region_info r;
	(void)v;
	if (!s)
		return error;
	for (vaddr_t at = 0; vm_region_info(s, at, &r); at = r.end)
		print_region(t, &r);
	space_put(s);
	return 0;
}

/* The lines about pages that smaps has for each region, smaps_rollup for all. */
static void print_pages(struct text *t, const struct region_info *r)
{
	size_t private = r->resident - r->shared, private_dirty = r->dirty - r->shared_dirty;
	size_t locked = r->flags & REGION_LOCKED ? r->resident : 0;
	const struct { const char *name; unsigned long kb; } lines[] = {
		{ "Rss:", KB(r->resident) }, { "Pss:", (unsigned long)(r->proportional / 1024) },
		{ "Shared_Clean:", KB(r->shared - r->shared_dirty) }, { "Shared_Dirty:", KB(r->shared_dirty) },
		{ "Private_Clean:", KB(private - private_dirty) }, { "Private_Dirty:", KB(private_dirty) },
		{ "Referenced:", KB(r->referenced) }, { "Anonymous:", KB(r->anonymous) }, { "LazyFree:", 0 }, { "AnonHugePages:", KB(r->huge) },
		{ "Swap:", 0 }, { "SwapPss:", 0 }, { "Locked:", KB(locked) },
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		text_print(t, "%-15s %8lu kB\n", lines[i].name, lines[i].kb);
}

/* As Linux abbreviates them: what the region may do now, and how it was asked to be treated. */
static void print_flags(struct text *t, const struct region_info *r)
{
	static const struct { unsigned flag; const char *name; } names[] = {
		{ REGION_SHARED, "sh" }, { REGION_GROWSDOWN, "gd" }, { REGION_LOCKED, "lo" }, { REGION_DONTFORK, "dc" }, { REGION_COMMITTED, "ac" },
		{ REGION_NORESERVE, "nr" }, { REGION_LOCKONFAULT, "lf" }, { REGION_WIPEONFORK, "wf" }, { REGION_HUGE, "hg" }, { REGION_NOHUGE, "nh" },
	};
	text_print(t, "VmFlags: %s%s%s", r->rights & VM_READ ? "rd " : "", r->rights & VM_WRITE ? "wr " : "", r->rights & VM_EXEC ? "ex " : "");
	text_print(t, "mr %sme ", r->flags & REGION_NOWRITE ? "" : "mw ");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (r->flags & names[i].flag)
			text_print(t, "%s ", names[i].name);
	text_print(t, "\n");
}

static int make_smaps(struct text *t, struct vnode *v, void *arg)
{
	struct space *s;
	int error = space_of(arg, FOR_OWNER, &s);
	struct region_info r;
	(void)v;
	if (!s)
		return error;
	for (vaddr_t at = 0; vm_region_info(s, at, &r); at = r.end) {
		print_region(t, &r);
		text_print(t, "%-15s %8lu kB\n%-15s %8lu kB\n%-15s %8lu kB\n", "Size:", (unsigned long)((r.end - r.start) / 1024), "KernelPageSize:", KB(1),
			"MMUPageSize:", KB(1));
		print_pages(t, &r);
		text_print(t, "THPeligible:    %8d\n", r.flags & REGION_HUGE && !r.object);
		print_flags(t, &r);
	}
	space_put(s);
	return 0;
}

static int make_smaps_rollup(struct text *t, struct vnode *v, void *arg)
{
	struct space *s;
	int error = space_of(arg, FOR_OWNER, &s);
	struct region_info r, all = { .name = "[rollup]" };
	(void)v;
	if (!s)
		return error;
	for (vaddr_t at = 0; vm_region_info(s, at, &r); at = r.end) {
		if (!all.end)
			all.start = r.start;
		all.end = r.end;
		all.resident += r.resident;
		all.anonymous += r.anonymous;
		all.shared += r.shared;
		all.shared_dirty += r.shared_dirty;
		all.dirty += r.dirty;
		all.referenced += r.referenced;
		all.huge += r.huge;
		all.proportional += r.proportional;
	}
	space_put(s);
	print_region(t, &all);
	print_pages(t, &all);
	return 0;
}

/* In pages: size, resident, of files, code, 0, data and stack, 0. */
static int make_statm(struct text *t, struct vnode *v, void *arg)
{
	struct space *s;
	struct region_info r;
	size_t size = 0, resident = 0, files = 0, code = 0, data = 0;
	(void)v;
	space_of(arg, FOR_ALL, &s);
	for (vaddr_t at = 0; s && vm_region_info(s, at, &r); at = r.end) {
		size_t n = (r.end - r.start) / PAGE_SIZE;
		size += n;
		resident += r.resident;
		files += r.resident - r.anonymous;
		code += r.rights & VM_EXEC ? n : 0;
		data += !(r.rights & VM_EXEC) && (r.rights & VM_WRITE) ? n : 0;
	}
	if (s)
		space_put(s);
	text_print(t, "%zu %zu %zu %zu 0 %zu 0\n", size, resident, files, code, data);
	return 0;
}

/* Appends the bytes of [start, end) of the space, as far as they are resident. */
static void append_memory(struct text *t, struct space *s, vaddr_t start, vaddr_t end)
{
	write_lock(&s->lock);
	while (start < end && !t->error) {
		struct mmu_entry e = mmu_query(&s->mmu, start);
		vaddr_t next = page_floor(start) + PAGE_SIZE;
		if (e.pfn == PFN_NONE)
			break;
		if (next > end)
			next = end;
		text_append(t, (const char *)direct(e.pfn) + (start & PAGE_MASK), next - start);
		start = next;
	}
	write_unlock(&s->lock);
}

static int make_cmdline(struct text *t, struct vnode *v, void *arg)
{
	struct space *s;
	int error = space_of(arg, FOR_ALL, &s);
	(void)v;
	if (!s)
		return error;
	append_memory(t, s, s->arg_start, s->arg_end);
	space_put(s);
	return 0;
}

static int make_environ(struct text *t, struct vnode *v, void *arg)
{
	struct space *s;
	int error = space_of(arg, FOR_OWNER, &s);
	(void)v;
	if (!s)
		return error;
	append_memory(t, s, s->env_start, s->env_end);
	space_put(s);
	return 0;
}

const struct synth proc_maps_text = { .make = make_maps }, proc_smaps_text = { .make = make_smaps },
	proc_smaps_rollup_text = { .make = make_smaps_rollup }, proc_statm_text = { .make = make_statm },
	proc_cmdline_text = { .make = make_cmdline }, proc_environ_text = { .make = make_environ };
