/*
 * kernel/proc_memory.c - the files of /proc/PID that need its address space: maps, smaps, statm, cmdline, environ, pagemap, mem.
 *
 * The space is taken with a reference and read under its own lock, a region or page at a time; the process may exit meanwhile.
 */
#include "kernel/capability.h"
#include "kernel/proc.h"
#include "kernel/remote.h"
#include "vm/heap.h"
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
		{ "Rss:", KB(r->resident) }, { "Pss:", (unsigned long)(r->proportional / 1024) }, { "Pss_Dirty:", (unsigned long)(r->proportional_dirty / 1024) },
		{ "Shared_Clean:", KB(r->shared - r->shared_dirty) }, { "Shared_Dirty:", KB(r->shared_dirty) },
		{ "Private_Clean:", KB(private - private_dirty) }, { "Private_Dirty:", KB(private_dirty) },
		{ "Referenced:", KB(r->referenced) }, { "Anonymous:", KB(r->anonymous) }, { "LazyFree:", 0 }, { "AnonHugePages:", KB(r->huge) },
		{ "ShmemPmdMapped:", 0 }, { "FilePmdMapped:", 0 }, { "Shared_Hugetlb:", 0 }, { "Private_Hugetlb:", 0 },
		{ "Swap:", 0 }, { "SwapPss:", 0 }, { "Locked:", KB(locked) },
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		text_print(t, "%-15s %8lu kB\n", lines[i].name, lines[i].kb);
}

/* As Linux abbreviates them: what the region may do now, and how it was asked to be treated. */
static void print_flags(struct text *t, const struct region_info *r)
{
	static const struct { unsigned flag; const char *name; } names[] = {
		{ REGION_SHARED, "sh" }, { REGION_GROWSDOWN, "gd" }, { REGION_LOCKED, "lo" }, { REGION_DONTFORK, "dc" }, { REGION_LOCKONFAULT, "lf" },
		{ REGION_COMMITTED, "ac" }, { REGION_NORESERVE, "nr" }, { REGION_WIPEONFORK, "wf" }, { REGION_HUGE, "hg" }, { REGION_NOHUGE, "nh" },
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
		text_print(t, "THPeligible:    %d\n", r.flags & REGION_HUGE && !r.object);
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
		all.proportional_dirty += r.proportional_dirty;
	}
	space_put(s);
	print_region(t, &all);
	print_pages(t, &all);
	return 0;
}

static size_t code_pages(const struct proc_node *n)
{
	struct process *p = proc_lock_process(n);
	size_t n_pages = p && p->space ? (page_ceil(p->layout.code_end) - page_floor(p->layout.code_start)) >> PAGE_SHIFT : 0;
	if (p)
		proc_unlock_process();
	return n_pages;
}

/* In pages: size, resident, of files and shared, code, 0, data and stack, 0. */
static int make_statm(struct text *t, struct vnode *v, void *arg)
{
	struct space *s;
	struct region_info r;
	size_t size = 0, resident = 0, files = 0, code = code_pages(arg), data = 0;
	(void)v;
	space_of(arg, FOR_ALL, &s);
	for (vaddr_t at = 0; s && vm_region_info(s, at, &r); at = r.end) {
		size_t n = (r.end - r.start) / PAGE_SIZE;
		size += n;
		resident += r.resident;
		files += r.resident - r.anonymous;
		data += r.flags & REGION_GROWSDOWN || ((r.rights & VM_WRITE) && !(r.flags & REGION_SHARED)) ? n : 0;
	}
	if (s)
		space_put(s);
	text_print(t, "%zu %zu %zu %zu 0 %zu 0\n", size, resident, files, code, data);
	return 0;
}

/* Appends the bytes of [start, end) of the space, up to the first that cannot be read. */
static int append_memory(struct text *t, struct space *s, vaddr_t start, vaddr_t end)
{
	char *page = kmalloc(PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	while (start < end && !t->error) {
		size_t part = end - start < PAGE_SIZE ? end - start : PAGE_SIZE, got = remote_copy(s, start, page, part, REMOTE_PEEK);
		text_append(t, page, got);
		if (got < part)
			break;
		start += part;
	}
	kfree(page);
	return 0;
}

/* A title that a program has written over its arguments may go on in its environment: it ends with the first NUL. */
static int append_title(struct text *t, struct space *s)
{
	size_t most = s->env_end - s->arg_start < PAGE_SIZE ? s->env_end - s->arg_start : PAGE_SIZE;
	t->len = 0;
	int error = append_memory(t, s, s->arg_start, s->arg_start + most);
	if (t->len) {
		const char *end = memchr(t->at, '\0', t->len);
		t->len = end ? (size_t)(end - t->at) + 1 : t->len;
	}
	return error;
}

static int make_cmdline(struct text *t, struct vnode *v, void *arg)
{
	struct space *s;
	int error = space_of(arg, FOR_ALL, &s);
	(void)v;
	if (!s)
		return error;
	error = append_memory(t, s, s->arg_start, s->arg_end);
	if (!error && t->len && t->len == s->arg_end - s->arg_start && t->at[t->len - 1] && s->env_start == s->arg_end)
		error = append_title(t, s);
	space_put(s);
	return error;
}

static int make_environ(struct text *t, struct vnode *v, void *arg)
{
	struct space *s;
	int error = space_of(arg, FOR_OWNER, &s);
	(void)v;
	if (!s)
		return error;
	error = append_memory(t, s, s->env_start, s->env_end);
	space_put(s);
	return error;
}

/* As execve gave it. */
static int make_auxv(struct text *t, struct vnode *v, void *arg)
{
	struct process *p = proc_lock_process(arg);
	(void)v;
	if (!p)
		return -ESRCH;
	bool allowed = proc_may_inspect(p);
	if (allowed && p->space)
		text_append(t, p->layout.auxv, p->layout.auxv_words * sizeof p->layout.auxv[0]);
	proc_unlock_process();
	return allowed ? 0 : -EACCES;
}

/* ---- pagemap and mem: files that are read at a place, not texts ---------------------------------------------------------------- */

enum { PIECE = 512 };			/* bytes at a time, on the stack */

/* What /proc/PID/pagemap says of a page; where it is, to those alone who may know it. */
static uint64_t pagemap_word(struct space *s, vaddr_t at, bool tell_place)
{
	const uint64_t EXCLUSIVE = (uint64_t)1 << 56, SHARED = (uint64_t)1 << 61, PRESENT = (uint64_t)1 << 63;
	struct mmu_entry e = mmu_query(&s->mmu, at);
	if (e.pfn == PFN_NONE)
		return 0;
	page_word w = page_word_of(e.pfn);
	bool mine = page_is_mine(w) || (page_type(w) == PAGE_RECORD && record_entries(page_record(w)) == 1);
	return PRESENT | (page_type(w) == PAGE_RECORD ? SHARED : 0) | (mine && e.spaces == 1 ? EXCLUSIVE : 0) | (tell_place ? e.pfn : 0);
}

static ssize pagemap_piece(struct space *s, struct uio *uio, uint64_t *pos, bool tell_place)
{
	uint64_t words[PIECE / sizeof(uint64_t)];
	size_t n = 0;
	read_lock(&s->lock);
	for (vaddr_t at = *pos / sizeof words[0] * PAGE_SIZE; n < uio->left / sizeof words[0] && n < PIECE / sizeof words[0] && at < USER_MAX; at += PAGE_SIZE)
		words[n++] = pagemap_word(s, at, tell_place);
	read_unlock(&s->lock);
	size_t done = uio_out(uio, words, n * sizeof words[0]);
	*pos += done;
	return n && !done ? -EFAULT : (ssize)done;
}

static ssize pagemap_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct space *s;
	if (*pos % sizeof(uint64_t) || uio->left % sizeof(uint64_t))
		return -EINVAL;
	if (*pos >= USER_MAX / PAGE_SIZE * sizeof(uint64_t))
		return 0;
	int error = space_of(f->vnode->data, FOR_OWNER, &s);
	if (!s)
		return error;
	ssize n, total = 0;
	while ((n = pagemap_piece(s, uio, pos, capable(CAP_SYS_ADMIN))) > 0)
		total += n;
	space_put(s);
	return total ? total : n;
}

/* The memory itself, as a debugger sees it; -EIO: there is none at that place. */
static ssize mem_move(struct file *f, struct uio *uio, uint64_t *pos, enum remote_access access)
{
	struct space *s;
	char piece[PIECE];
	ssize total = 0;
	int error = space_of(f->vnode->data, FOR_OWNER, &s);
	if (!s)
		return error;
	while (uio->left) {
		size_t part = uio->left < PIECE ? uio->left : PIECE, done;
		if (access == REMOTE_POKE && (part = uio_in(uio, piece, part)) == 0) {
			error = -EFAULT;
			break;
		}
		size_t got = remote_copy(s, *pos, piece, part, access);
		done = access == REMOTE_POKE ? got : uio_out(uio, piece, got);
		total += (ssize)done;
		*pos += done;
		if (done < part) {
			error = got < part ? -EIO : -EFAULT;
			break;
		}
	}
	space_put(s);
	return total ? total : error;
}

static ssize mem_read(struct file *f, struct uio *uio, uint64_t *pos)	{ return mem_move(f, uio, pos, REMOTE_PEEK); }
static ssize mem_write(struct file *f, struct uio *uio, uint64_t *pos)	{ return mem_move(f, uio, pos, REMOTE_POKE); }

static const struct file_ops pagemap_file_ops = { .read = pagemap_read }, mem_file_ops = { .read = mem_read, .write = mem_write };

static int open_as(struct vnode *v, struct file *f, const struct file_ops *ops)
{
	struct space *s;
	int error = space_of(v->data, FOR_OWNER, &s);
	if (s)
		space_put(s);
	f->ops = ops;
	return error;
}

static int pagemap_open(struct vnode *v, struct file *f)	{ return open_as(v, f, &pagemap_file_ops); }
static int mem_open(struct vnode *v, struct file *f)	{ return open_as(v, f, &mem_file_ops); }
const struct vnode_ops proc_pagemap_ops = { .open = pagemap_open, .setattr = proc_text_setattr }, proc_mem_ops = { .open = mem_open, .setattr = proc_text_setattr };

const struct synth proc_maps_text = { .make = make_maps }, proc_smaps_text = { .make = make_smaps },
	proc_smaps_rollup_text = { .make = make_smaps_rollup }, proc_statm_text = { .make = make_statm },
	proc_cmdline_text = { .make = make_cmdline }, proc_environ_text = { .make = make_environ }, proc_auxv_text = { .make = make_auxv };
