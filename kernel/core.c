/*
 * kernel/core.c - core files, in the format of Linux and System V (ELF, ET_CORE); see core.h.
 *
 * The thread that dies has all others end first; on their way out they leave their registers in a list.  Alone then, it writes notes (registers, names, what was mapped from which file)
 * and the memory that can be found nowhere else: private pages, shared ones without a file, and of other mappings of programs the page with the ELF header.  Pages that were never touched
 * become holes.
 *
 * Source: System V ABI, chapter 5 (Program Header, Note Section); core(5); Linux, linux/elfcore.h and asm/elf.h for the notes.
 *
 * Lock: signal_lock for process->core and the list.
 */
#include "kernel/core.h"
#include "arch/thread.h"
#include "arch/trace.h"
#include "fs/synth.h"
#include "kernel/clock.h"
#include "kernel/elf.h"
#include "kernel/life.h"
#include "kernel/remote.h"
#include "kernel/sys_file.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/report.h"

enum { NOTE_STATUS = 1, NOTE_FLOAT = 2, NOTE_PROCESS = 3, NOTE_AUXV = 6, NOTE_SIGINFO = 0x53494749, NOTE_FILES = 0x46494c45 };
enum { TYPE_CORE = 4, MACHINE = 62, SEGMENT_LOAD = 1, SEGMENT_NOTE = 4, SEGMENTS_MAX = 65000 };

struct core_thread { struct list link; struct text notes; };
struct core_segment { vaddr_t start, end; size_t kept; unsigned rights; bool sparse; };

struct core {
	struct process *process;
	pid_type tid;			/* of the one that dies of the signal: alone, it gets the number of the process */
	const struct siginfo *info;
	struct list threads;		/* that have ended */
	struct core_segment *segments;
	size_t nsegments;
	struct text notes;
	struct file *file;
	uint64_t pos, limit;
};

/* ---- notes ------------------------------------------------------------------------------------- */

static void append_note(struct text *b, const char *owner, uint32_t type, const void *bytes, size_t n)
{
	static const char zeroes[4];
	const uint32_t owner_size = (uint32_t)strlen(owner) + 1, head[] = { owner_size, (uint32_t)n, type };

	text_append(b, head, sizeof head);
	text_append(b, owner, owner_size);
	text_append(b, zeroes, -owner_size & 3);
	text_append(b, bytes, n);
	text_append(b, zeroes, -n & 3);
}

struct status_note {			/* struct elf_prstatus */
	int32_t signo, code, error;
	int16_t current_signal;
	uint64_t pending, blocked;
	int32_t pid, ppid, pgid, sid;
	struct { int64_t sec, usec; } user, system, children_user, children_system;
	uint64_t registers[27];
	int32_t has_float;
};
_Static_assert(sizeof(struct status_note) == 336, "elf_prstatus has 336 bytes");

struct process_note {			/* struct elf_prpsinfo */
	char state, state_letter, zombie, nice;
	uint64_t flags;
	uint32_t uid, gid;
	int32_t pid, ppid, pgid, sid;
	char name[16], arguments[80];
};
_Static_assert(sizeof(struct process_note) == 136, "elf_prpsinfo has 136 bytes");

static void append_registers(struct text *b, struct thread *t, const char *owner, uint32_t type, enum register_set set)
{
	size_t size = registers_size(set);
	void *bytes = size ? kmalloc(size) : NULL;

	if (bytes) {
		registers_get(&t->arch, set, bytes);
		append_note(b, owner, type, bytes, size);
	}
	if (size && !bytes)
		b->error = -ENOMEM;
	kfree(bytes);
}

/* Of the current thread, and of the signal by which it, or another, dies. */
enum dies { DIES_ITSELF, DIES_WITH_OTHERS };
static void append_thread(struct text *b, struct thread *t, pid_type tid, const struct siginfo *info, enum dies why)
{
	const struct process *p = t->process;
	const struct cpu_time used = thread_time(t);
	struct status_note s = {
		.signo = info->signo, .code = info->code, .error = info->error, .current_signal = (int16_t)info->signo, .pending = t->signals.pending | p->signals.pending, .blocked = t->blocked,
		.pid = tid, .ppid = p->ppid, .pgid = p->pgid, .sid = p->sid, .has_float = 1,
		.user = { (int64_t)(used.user_ns / NS_PER_SECOND), (int64_t)(used.user_ns % NS_PER_SECOND / 1000) },
		.system = { (int64_t)(used.kernel_ns / NS_PER_SECOND), (int64_t)(used.kernel_ns % NS_PER_SECOND / 1000) },
	};

	arch_thread_save(&t->arch);
	registers_get(&t->arch, REGISTERS_GENERAL, s.registers);
	append_note(b, "CORE", NOTE_STATUS, &s, sizeof s);
	if (why == DIES_ITSELF)
		append_note(b, "CORE", NOTE_SIGINFO, info, sizeof *info);
	append_registers(b, t, "CORE", NOTE_FLOAT, REGISTERS_FLOAT);
	append_registers(b, t, "LINUX", REGISTERS_EXTENDED, REGISTERS_EXTENDED);
}

static void append_process(struct core *c)
{
	const struct process *p = c->process;
	struct process_note n = { .state_letter = 'R', .uid = p->uid, .gid = p->gid, .pid = p->pid, .ppid = p->ppid, .pgid = p->pgid, .sid = p->sid };
	const struct space *s = p->space;
	size_t size = s->arg_end - s->arg_start < sizeof n.arguments ? s->arg_end - s->arg_start : sizeof n.arguments - 1;

	memcpy(n.name, p->name, sizeof n.name - 1);
	size = remote_copy(p->space, s->arg_start, n.arguments, size, REMOTE_PEEK);
	for (size_t i = 0; i < size; i++)
		if (!n.arguments[i])
			n.arguments[i] = ' ';
	append_note(&c->notes, "CORE", NOTE_PROCESS, &n, sizeof n);
	append_note(&c->notes, "CORE", NOTE_AUXV, p->layout.auxv, p->layout.auxv_words * sizeof p->layout.auxv[0]);
}

/* Which files are mapped where: count, unit of offsets, three numbers for each, names. */
static void append_files(struct core *c)
{
	struct text numbers = { .error = 0 }, names = { .error = 0 };
	uint64_t head[2] = { 0, PAGE_SIZE };
	struct region_info r;

	text_append(&numbers, head, sizeof head);
	for (vaddr_t at = 0; vm_region_info(c->process->space, at, &r); at = r.end) {
		const uint64_t place[] = { r.start, r.end, r.offset / PAGE_SIZE };
		if (r.name[0] != '/')
			continue;
		head[0]++;
		text_append(&numbers, place, sizeof place);
		text_append(&names, r.name, strlen(r.name) + 1);
	}
	if (head[0] && !numbers.error && !names.error) {
		memcpy(numbers.at, head, sizeof head);
		text_append(&numbers, names.at, names.len);
		append_note(&c->notes, "CORE", NOTE_FILES, numbers.at, numbers.len);
	}
	if (numbers.error || names.error)
		c->notes.error = -ENOMEM;
	text_free(&numbers);
	text_free(&names);
}

static void make_notes(struct core *c)
{
	append_thread(&c->notes, current_thread(), c->tid, c->info, DIES_ITSELF);
	append_process(c);
	append_files(c);
	list_for_each(l, &c->threads) {
		const struct text *b = &container_of(l, struct core_thread, link)->notes;
		text_append(&c->notes, b->at, b->len);
	}
}

static void free_thread(struct core_thread *entry)
{
	text_free(&entry->notes);
	kfree(entry);
}

void core_add_thread(struct thread *t)
{
	struct process *p = t->process;
	struct siginfo info = { .signo = 0 };
	struct core_thread *entry = kzalloc(sizeof *entry);

	if (!entry)
		return;
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	if (p->core)
		info = *p->core->info;
	spin_unlock_irq(&p->signal_lock, irq);
	append_thread(&entry->notes, t, t->tid, &info, DIES_WITH_OTHERS);
	irq = spin_lock_irq(&p->signal_lock);
	struct core *c = p->core;
	if (c)
		list_append(&c->threads, &entry->link);
	spin_unlock_irq(&p->signal_lock, irq);
	if (!c)
		free_thread(entry);
}

/* ---- memory ------------------------------------------------------------------------------------ */

/* How much of a region is worth keeping. */
static size_t kept_of(struct space *s, const struct region_info *r)
{
	static const char elf[4] = "\177ELF", deleted[] = " (deleted)";
	const size_t len = strlen(r->name);
	char magic[4];

	if (strcmp(r->name, "[vvar]") == 0)
		return 0;
	if (r->flags & REGION_SHARED ? len > strlen(deleted) && strcmp(r->name + len - strlen(deleted), deleted) == 0 : r->anonymous || !r->ino)
		return r->end - r->start;
	return r->offset == 0 && remote_copy(s, r->start, magic, sizeof magic, REMOTE_PEEK) == sizeof magic && memcmp(magic, elf, sizeof elf) == 0 ? PAGE_SIZE : 0;
}

static bool find_segments(struct core *c)
{
	struct space *s = c->process->space;
	struct region_info r;
	size_t n = 0;

	for (vaddr_t at = 0; vm_region_info(s, at, &r); at = r.end)
		n++;
	n = n < SEGMENTS_MAX ? n : SEGMENTS_MAX;
	c->segments = kmalloc(n * sizeof *c->segments);
	if (!c->segments)
		return false;
	for (vaddr_t at = 0; c->nsegments < n && vm_region_info(s, at, &r); at = r.end)
		c->segments[c->nsegments++] = (struct core_segment){ r.start, r.end, kept_of(s, &r), r.rights, !r.object };
	return true;
}

/* ---- the file ---------------------------------------------------------------------------------- */

/* False: it ends here, by an error or the limit. */
static bool put(struct core *c, const void *bytes, size_t n)
{
	size_t fits = c->limit - c->pos < n ? c->limit - c->pos : n;
	struct uio uio = uio_kernel((void *)(uintptr_t)bytes, fits);

	return file_write(c->file, &uio, &c->pos) == (ssize)n;
}

static bool put_headers(struct core *c)
{
	const struct elf_header h = {
		.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 }, .type = TYPE_CORE, .machine = MACHINE, .version = 1, .phoff = sizeof h, .ehsize = sizeof h,
		.phentsize = sizeof(struct elf_segment), .phnum = (uint16_t)(c->nsegments + 1),
	};
	uint64_t offset = sizeof h + h.phnum * sizeof(struct elf_segment);
	struct elf_segment s = { .type = SEGMENT_NOTE, .offset = offset, .filesz = c->notes.len, .align = 4 };
	bool good = put(c, &h, sizeof h) && put(c, &s, sizeof s);

	offset = (offset + c->notes.len + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
	for (size_t i = 0; i < c->nsegments && good; i++) {
		const struct core_segment *m = &c->segments[i];
		s = (struct elf_segment){ .type = SEGMENT_LOAD, .flags = (m->rights & VM_READ ? 4 : 0) | (m->rights & VM_WRITE ? 2 : 0) | (m->rights & VM_EXEC ? 1 : 0),
			.offset = offset, .vaddr = m->start, .filesz = m->kept, .memsz = m->end - m->start, .align = PAGE_SIZE };
		good = put(c, &s, sizeof s);
		offset += m->kept;
	}
	return good && put(c, c->notes.at, c->notes.len);
}

static bool is_absent(struct space *s, vaddr_t page)
{
	read_lock(&s->lock);
	bool absent = mmu_query(&s->mmu, page).pfn == PFN_NONE;
	read_unlock(&s->lock);
	return absent;
}

/* Pages that are not there become holes, as do those that cannot be read. */
static bool put_memory(struct core *c, const struct core_segment *m, char *page)
{
	struct space *s = c->process->space;

	for (vaddr_t at = m->start; at < m->start + m->kept; at += PAGE_SIZE) {
		if (process_killed(c->process))
			return false;
		if ((m->sparse && is_absent(s, at)) || remote_copy(s, at, page, PAGE_SIZE, REMOTE_PEEK) < PAGE_SIZE)
			c->pos += PAGE_SIZE;
		else if (!put(c, page, PAGE_SIZE))
			return false;
		if (c->pos >= c->limit)
			return false;
	}
	return true;
}

static void write_all(struct core *c)
{
	char *page = kmalloc(PAGE_SIZE);
	bool good = page && !c->notes.error && put_headers(c);

	c->pos = (c->pos + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
	for (size_t i = 0; i < c->nsegments && good; i++)
		good = put_memory(c, &c->segments[i], page);
	if (good)
		vfs_truncate(my_fs(), c->file->vnode, c->pos);		/* a hole at the end */
	kfree(page);
}

/* A new file of its own: what had the name goes, a link is not followed. */
static bool open_core(struct core *c)
{
	struct fs_context *fs = my_fs();

	vfs_unlink(fs, NULL, "core", UNLINK_FILE);
	return vfs_open(fs, NULL, "core", OPEN_CREATE | OPEN_EXCLUSIVE | OPEN_WRITE | OPEN_NOFOLLOW | OPEN_LARGE, 0600, &c->file) == 0;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static bool is_core_signal(int signo)
{
	const uint64_t all = signal_bit(SIGQUIT) | signal_bit(SIGILL) | signal_bit(SIGTRAP) | signal_bit(SIGABRT) | signal_bit(SIGBUS) | signal_bit(SIGFPE) | signal_bit(SIGSEGV)
		| signal_bit(SIGXCPU) | signal_bit(SIGXFSZ) | signal_bit(SIGSYS);

	return all & signal_bit(signo);
}

/* One thread of a process at most writes it. */
static bool begin(struct process *p, struct core *c)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	bool first = !p->core && !p->exiting && !thread_work(current_thread(), WORK_EXIT);
	if (first)
		__atomic_store_n(&p->core, c, __ATOMIC_RELEASE);
	spin_unlock_irq(&p->signal_lock, irq);
	return first;
}

/* Who has not ended yet, when the process is killed meanwhile, finds no list. */
static void end(struct process *p, struct core *c)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	__atomic_store_n(&p->core, NULL, __ATOMIC_RELEASE);
	spin_unlock_irq(&p->signal_lock, irq);
	for (struct list *l; (l = list_pop(&c->threads)); )
		free_thread(container_of(l, struct core_thread, link));
	text_free(&c->notes);
	kfree(c->segments);
	file_put(c->file);
}

bool core_dump(int signo, const struct siginfo *info)
{
	struct process *p = current;
	struct core c = { .process = p, .tid = current_thread()->tid, .info = info, .threads = LIST_INIT(c.threads), .limit = __atomic_load_n(&p->limits[LIMIT_CORE].cur, __ATOMIC_RELAXED) };

	if (!is_core_signal(signo) || c.limit < PAGE_SIZE || p->undumpable || !begin(p, &c))
		return false;
	bool written = process_end_others(p) == 0 && open_core(&c);
	if (written) {
		make_notes(&c);
		if (find_segments(&c))
			write_all(&c);
	}
	end(p, &c);
	return written;
}
