/*
 * kernel/exec_args.c - the strings of execve, and the stack that a new program starts with.
 *
 * The strings are copied from the old space into kernel pages, in the order in which they will lie, and from there to the top of the new
 * stack.  System V ABI (x86-64), 3.4.1 'Initial Stack and Register State', from high to low:
 *
 *	stack's end	8 zero bytes, path of the program, strings of envp, strings of argv
 *			up to 8 KiB, if addresses are random; platform string, 16 random bytes
 *			auxiliary vector, envp pointers and NULL, argv pointers and NULL
 *	stack pointer	argc			(a multiple of 16)
 */
#include "kernel/exec.h"
#include "kernel/random.h"
#include "arch/thread.h"
#include "arch/time.h"
#include "arch/uaccess.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { PAGE_BYTES = 4096 - sizeof(struct exec_page), RANDOM_BYTES = 16, TOP_ZEROES = 8, PLATFORM_MAX = 16 };
static const size_t STRINGS_LEAST = 131072, STRINGS_MOST = (size_t)6 << 20;

enum auxv_type { AT_NULL, AT_PHDR = 3, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY, AT_UID = 11, AT_EUID, AT_GID, AT_EGID,
	AT_PLATFORM, AT_HWCAP, AT_CLKTCK, AT_SECURE = 23, AT_RANDOM = 25, AT_HWCAP2, AT_EXECFN = 31, AT_VDSO = 33, AT_MINSIGSTKSZ = 51, AUXV_ENTRIES = 22 };
_Static_assert(2 * AUXV_ENTRIES <= AUXV_WORDS_MAX, "a process keeps the vector");

/* ---- gathering ------------------------------------------------------------------------ */

static int fetch(enum uio_space space, void *to, vaddr_t from, size_t n)
{
	if (space == UIO_USER)
		return user_copy_in(to, from, n) ? -EFAULT : 0;
	memcpy(to, (const void *)from, n);
	return 0;
}

/* The length, -EFAULT, or -ENAMETOOLONG: all of `size` bytes were copied, and the string goes on. */
static ssize fetch_string(enum uio_space space, char *to, vaddr_t from, size_t size)
{
	if (space == UIO_USER)
		return user_string(to, from, size);
	size_t n = strnlen((const char *)from, size);
	memcpy(to, (const void *)from, n < size ? n + 1 : n);
	return n < size ? (ssize)n : -ENAMETOOLONG;
}

/* The last page, with at least one free byte. */
static struct exec_page *page_with_room(struct exec *e)
{
	if (e->last && e->last->used < PAGE_BYTES)
		return e->last;
	struct exec_page *page = kmalloc(sizeof *page + PAGE_BYTES);
	if (!page)
		return NULL;
	page->next = NULL;
	page->used = 0;
	if (e->last)
		e->last->next = page;
	else
		e->first = page;
	return e->last = page;
}

static bool too_big(const struct exec *e)
{
	return e->bytes + (e->argc + e->envc) * sizeof(vaddr_t) > e->limit;
}

static int add_string(struct exec *e, enum uio_space space, vaddr_t from)
{
	size_t length = 0;
	for (;;) {
		struct exec_page *page = page_with_room(e);
		if (!page)
			return -ENOMEM;
		size_t room = PAGE_BYTES - page->used;
		ssize n = fetch_string(space, page->bytes + page->used, from + length, room);
		if (n < 0 && n != -ENAMETOOLONG)
			return (int)n;
		size_t took = n < 0 ? room : (size_t)n + 1;
		page->used += took;
		e->bytes += took;
		length += took;
		if (length > EXEC_STRING_MAX || too_big(e))
			return -E2BIG;
		if (n >= 0)
			return 0;
	}
}

/* The strings of an array that ends with NULL, without the first `skip` ones; an array at 0 is empty. */
static int add_array(struct exec *e, enum uio_space space, vaddr_t array, size_t skip, size_t *count)
{
	vaddr_t pointer[16];

	for (size_t done = 0; array; ) {
		size_t n = (PAGE_SIZE - (array & PAGE_MASK)) / sizeof pointer[0];	/* reads nothing on a page that the array may not reach */
		n = n == 0 ? 1 : n > 16 ? 16 : n;
		if (fetch(space, pointer, array, n * sizeof pointer[0]) != 0)
			return -EFAULT;
		array += n * sizeof pointer[0];
		for (size_t i = 0; i < n; i++) {
			if (!pointer[i])
				return 0;
			if (done++ < skip)
				continue;
			++*count;
			int error = add_string(e, space, pointer[i]);
			if (error)
				return error;
		}
	}
	return 0;
}

static size_t strings_limit(const struct process *p)
{
	uint64_t limit = p->limits[LIMIT_STACK].cur / 4;
	if (limit > STRINGS_MOST)
		limit = STRINGS_MOST;
	return limit < STRINGS_LEAST ? STRINGS_LEAST : limit;
}

int exec_gather(struct exec *e, const struct exec_strings *strings, const char *path)
{
	int error = 0;
	e->limit = strings_limit(e->process);
	for (unsigned i = e->first_script_string; i < EXEC_SCRIPT_STRINGS && !error; i++) {
		e->argc++;
		error = add_string(e, UIO_KERNEL, (vaddr_t)e->script_string[i]);
	}
	if (!error)
		error = add_array(e, strings->space, strings->argv, e->argc ? 1 : 0, &e->argc);
	if (!error && e->argc == 0) {		/* as on Linux: programs expect an argv[0] */
		e->argc = 1;
		error = add_string(e, UIO_KERNEL, (vaddr_t)"");
	}
	if (!error)
		error = add_array(e, strings->space, strings->envp, 0, &e->envc);
	return error ? error : add_string(e, UIO_KERNEL, (vaddr_t)path);
}

void exec_drop_strings(struct exec *e)
{
	for (struct exec_page *page; (page = e->first); ) {
		e->first = page->next;
		kfree(page);
	}
	while (e->script_lines)
		kfree(e->script_line[--e->script_lines]);
}

/* ---- writing -------------------------------------------------------------------------- */

/* Words that go to the stack in rising order, a buffer at a time. */
struct writer {
	vaddr_t at;
	size_t n;
	int error;
	uint64_t words[32];
};

static void flush(struct writer *w)
{
	if (!w->error && user_copy_out(w->at, w->words, w->n * sizeof w->words[0]))
		w->error = -EFAULT;
	w->at += w->n * sizeof w->words[0];
	w->n = 0;
}

static void put(struct writer *w, uint64_t word)
{
	w->words[w->n++] = word;
	if (w->n == sizeof w->words / sizeof w->words[0])
		flush(w);
}

size_t exec_stack_bytes(const struct exec *e)
{
	return e->layout.stack_offset + TOP_ZEROES + e->bytes + PLATFORM_MAX + RANDOM_BYTES + 16 +
		(1 + e->argc + 1 + e->envc + 1 + 2 * AUXV_ENTRIES) * sizeof(uint64_t) + 16;
}

/* Copies the strings to the stack, at `at`. */
static int write_strings(const struct exec *e, vaddr_t at)
{
	for (const struct exec_page *page = e->first; page; page = page->next) {
		if (user_copy_out(at, page->bytes, page->used))
			return -EFAULT;
		at += page->used;
	}
	return 0;
}

/* A string's start, and how to find the next one's. */
struct cursor { const struct exec_page *page; size_t offset; vaddr_t at; };

static void next_string(struct cursor *c)
{
	for (;;) {
		size_t left = c->page->used - c->offset;
		const char *start = c->page->bytes + c->offset, *end = memchr(start, '\0', left);
		size_t n = end ? (size_t)(end - start) + 1 : left;
		c->at += n;
		c->offset += n;
		if (c->offset == c->page->used) {
			c->page = c->page->next;
			c->offset = 0;
		}
		if (end)
			return;
	}
}

static void put_pointers(struct writer *w, struct cursor *c, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		put(w, c->at);
		next_string(c);
	}
	put(w, 0);
}

static void make_auxv(struct program_layout *l, const struct exec *e, vaddr_t platform, vaddr_t random, vaddr_t path)
{
	const struct process *p = e->process;
	const uint64_t all[] = {
		AT_VDSO, e->vdso, AT_MINSIGSTKSZ, signal_frame_size(), AT_HWCAP, arch_hwcap(), AT_PAGESZ, PAGE_SIZE, AT_CLKTCK, TICK_HZ,
		AT_PHDR, e->image.phdr, AT_PHENT, sizeof(struct elf_segment), AT_PHNUM, e->image.header.phnum, AT_BASE, e->interpreter.bias, AT_FLAGS, 0,
		AT_ENTRY, e->image.entry, AT_UID, p->uid, AT_EUID, e->euid, AT_GID, p->gid, AT_EGID, e->egid, AT_SECURE, e->secure, AT_RANDOM, random,
		AT_HWCAP2, arch_hwcap2(), AT_EXECFN, path, AT_PLATFORM, platform, AT_NULL, 0,
	};
	const size_t skipped = e->vdso ? 0 : 2;
	l->auxv_words = sizeof all / sizeof all[0] - skipped;
	memcpy(l->auxv, all + skipped, l->auxv_words * sizeof all[0]);
}

/* Random bytes and the platform's name. */
static int write_extras(vaddr_t random, vaddr_t platform)
{
	char bytes[RANDOM_BYTES];
	random_bytes(bytes, sizeof bytes);
	if (user_copy_out(random, bytes, sizeof bytes) || user_copy_out(platform, arch_platform(), strlen(arch_platform()) + 1))
		return -EFAULT;
	return 0;
}

int exec_write_stack(struct exec *e)
{
	vaddr_t strings = e->layout.stack_top - TOP_ZEROES - e->bytes;
	vaddr_t platform = (strings - e->layout.stack_offset - PLATFORM_MAX) & ~(vaddr_t)15;
	vaddr_t random = platform - RANDOM_BYTES;
	size_t words = 1 + e->argc + 1 + e->envc + 1 + 2 * (AUXV_ENTRIES - 1);
	struct writer w = { .at = (random - words * sizeof(uint64_t)) & ~(vaddr_t)15 };
	struct cursor c = { .page = e->first, .at = strings };
	struct space *s = e->space;

	int error = write_strings(e, strings);
	if (!error)
		error = write_extras(random, platform);
	if (error)
		return error;
	e->stack = w.at;
	e->told.code_start = e->image.code_start;
	e->told.code_end = e->image.code_end;
	e->told.data_start = e->image.data_start;
	e->told.data_end = e->image.data_end;
	e->told.stack_start = e->stack;
	put(&w, e->argc);
	s->arg_start = strings;
	put_pointers(&w, &c, e->argc);
	s->arg_end = s->env_start = c.at;
	put_pointers(&w, &c, e->envc);
	s->env_end = c.at;
	flush(&w);
	make_auxv(&e->told, e, platform, random, c.at);
	return w.error || user_copy_out(w.at, e->told.auxv, e->told.auxv_words * sizeof e->told.auxv[0]) ? -EFAULT : 0;
}
