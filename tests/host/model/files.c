/*
 * tests/host/model/files.c - files: pagers that read, lend, dawdle and fail, as the step says; read and write, to and from memory of the process and of
 * the kernel; truncation.
 */
#include <string.h>
#include "inside.h"
#include "files.h"
#include "now.h"

struct file file[FILES];

/* ---- pagers ------------------------------------------------------------------------------------------------------------------------- */

static unsigned number_of(const struct object *o)
{
	return (unsigned)((const struct file *)o->backing - file);
}

/* Where a page lies when it is not in memory. */
static uint8_t disk[FILE_TMPFS][FILE_PAGES][4096];

static uint8_t *disk_page(unsigned n, uint64_t index)
{
	return n == FILE_BORROWED ? direct(pfn_of(IMAGE_START) + index) : disk[n][index];
}

/* Some pages lie well in the image, some do not. */
static pfn_t lend_page(struct object *o, uint64_t index)
{
	return index % 3 == 1 || (index + 1) * PAGE_SIZE > ref_object[number_of(o)].size ? PFN_NONE : pfn_of(IMAGE_START) + index;
}

static int read_page(struct object *o, uint64_t index, void *to)
{
	sim_check_unlocked("a pager reads");
	for (unsigned i = now.step ? now.step->slow % 8 : 0; i > 0; i--)
		sim_yield();
	if (now.step && ++now.reads == now.step->io_error) {
		now.failed_reads++;
		return -EIO;
	}
	memcpy(to, disk_page(number_of(o), index), PAGE_SIZE);
	return 0;
}

static void write_page(struct object *o, uint64_t index, const void *from)
{
	if (index >= object_pages(ref_object[number_of(o)].size))
		differ("page %lu is written back, beyond the end of the file", (unsigned long)index);
	memmove(disk_page(number_of(o), index), from, PAGE_SIZE);
}

static const struct pager pagers[FILE_TMPFS] = {
	[FILE_READ] = { .read = read_page },
	[FILE_BORROWED] = { .borrow = lend_page, .read = read_page, .write = write_page },
	[FILE_DISK] = { .read = read_page, .write = write_page },
};

static struct object *new_object(unsigned n)
{
	return object_create(file_has_pager(n) ? &pagers[n] : NULL, &file[n], ref_object[n].size);
}

void compare_disk(unsigned n, size_t first, size_t npages)
{
	for (size_t i = first; i < first + npages && i < object_pages(ref_object[n].size); i++)
		if (memcmp(disk_page(n, i), ref_object_bytes(&ref_object[n], i), PAGE_SIZE) != 0)
			differ("page %zu of file %u was not written back", i, n);
}

/* What is read only may end in the middle of a page.  Bytes behind the end of what is written back are neither kept nor lost for sure: there are none. */
static void fill(unsigned n, size_t npages)
{
	struct ref_object *o = &ref_object[n];

	o->size = npages * PAGE_SIZE - (file_is_written_back(n) ? 0 : 1000);
	for (size_t i = 0; i < npages; i++) {
		uint8_t *bytes = ref_object_writable(o, i);

		for (size_t k = 0; k < PAGE_SIZE && i * PAGE_SIZE + k < o->size; k++)
			bytes[k] = value_byte(n * 50 + i, k);
		memcpy(disk_page(n, i), bytes, PAGE_SIZE);
	}
}

void files_start(void)
{
	static const size_t npages[FILES] = { [FILE_READ] = FILE_PAGES - 7, [FILE_BORROWED] = 20, [FILE_DISK] = 9 };

	for (unsigned i = 0; i < REF_OBJECTS; i++)
		ref_object_clear(&ref_object[i]);
	for (unsigned n = 0; n < FILES; n++) {
		ref_object[n].used = true;
		if (npages[n])
			fill(n, npages[n]);
		file[n] = (struct file){ .object = new_object(n) };
		if (!file[n].object)
			differ("no memory for a file");
	}
}

void files_end(void)
{
	for (unsigned n = 0; n < FILES; n++)
		object_put(file[n].object);
}

/* ---- read ---------------------------------------------------------------------------------------------------------------------------- */

struct transfer { unsigned n; struct file *f; struct ref_object *ref; uint64_t offset; vaddr_t at; size_t length, room; };

/* Arguments file, offset, at, length.  room: bytes up to the end of the file. */
static struct transfer transfer(const unsigned long *a, unsigned first_file)
{
	struct transfer t = { .n = first_file + a[0] % (FILES - first_file), .offset = a[1] % (FILE_PAGES * PAGE_SIZE), .at = arena_address(a[2]) };

	t.f = &file[t.n];
	t.ref = &ref_object[t.n];
	t.length = copy_length(t.at, a[3]);
	if (running->threads > 1)
		t.length = part_in_page(t.offset, t.length);
	t.room = t.offset < t.ref->size ? t.ref->size - t.offset : 0;
	return t;
}

/* Would pages of a file be copied to themselves?  In which order that happens is nobody's promise. */
static bool overlaps(struct process *p, const struct transfer *t)
{
	for (size_t i = page_of(t->at); i <= page_of(t->at + t->length - 1); i++) {
		const struct ref_page *r = &p->ref->page[i];

		if (r->mapped && !r->own && r->object == (int)t->n && r->index >= t->offset >> PAGE_SHIFT
		    && r->index <= (t->offset + t->length - 1) >> PAGE_SHIFT)
			return true;
	}
	return false;
}

/* What another thread has changed while we waited is taken over: any of it is right. */
static void take_over(struct process *p, vaddr_t at, size_t n)
{
	if (n && sim_read(p->space, at, ref_writable(p->ref, page_of(at)) + (at & PAGE_MASK), n) != FAULT_DONE)
		differ("what was read to %lx cannot be read there", at);
}

enum outcome op_read(struct process *p, const unsigned long *a)
{
	struct transfer t = transfer(a, 0);
	size_t n = t.length < t.room ? t.length : t.room;
	struct uio uio = uio_user(t.at, t.length);
	unsigned version = t.f->version;

	if (overlaps(p, &t))
		return OUT_NOTHING;
	sim_enter(p->space);
	t.f->busy++;
	ssize got = object_read(t.f->object, &uio, t.offset);
	t.f->busy--;
	if (version != t.f->version) {
		if (got > 0 || got == -EFAULT)
			expected_access(p, page_of(t.at), REF_WRITE);	/* a stack may have grown */
		take_over(p, t.at, got > 0 ? (size_t)got : 0);
		return OUT_OTHER;
	}
	if (got < 0 && got != -EFAULT && !excused(got))
		differ("read of %zu bytes at %lx gives %ld", t.length, t.offset, (long)got);
	size_t moved = got > 0 ? (size_t)got : 0, part;
	enum outcome outcome = got < 0 && got != -EFAULT ? outcome_of(got) : judge_copy(p, t.at, n, moved, REF_WRITE);
	for (size_t i = 0; i < moved; i += part) {
		part = part_in_page(t.offset + i, part_in_page(t.at + i, moved - i));
		const uint8_t *from = ref_object_bytes(t.ref, (t.offset + i) >> PAGE_SHIFT) + ((t.offset + i) & PAGE_MASK);
		memmove(ref_writable(p->ref, page_of(t.at + i)) + ((t.at + i) & PAGE_MASK), from, part);
	}
	return outcome;
}

enum outcome op_read_kernel(struct process *p, const unsigned long *a)
{
	static __thread uint8_t bytes[COPY_MAX];
	struct transfer t = transfer((const unsigned long[]){ a[0], a[1], 0, a[2] }, 0);
	struct uio uio = uio_kernel(bytes, t.length);
	size_t n = t.length < t.room ? t.length : t.room, part;
	unsigned version = t.f->version;
	(void)p;

	t.f->busy++;
	ssize got = object_read(t.f->object, &uio, t.offset);
	t.f->busy--;
	if (version != t.f->version)
		return OUT_OTHER;
	if (got != (ssize)n && !memory_was_refused() && !pager_failed())
		differ("read of %zu bytes at %lx gives %ld", t.length, t.offset, (long)got);
	for (size_t i = 0; (ssize)i < got; i += part) {
		part = part_in_page(t.offset + i, (size_t)got - i);
		if (memcmp(&bytes[i], ref_object_bytes(t.ref, (t.offset + i) >> PAGE_SHIFT) + ((t.offset + i) & PAGE_MASK), part) != 0)
			differ("read: wrong bytes at %lx", t.offset + i);
	}
	return got == (ssize)n ? OUT_OK : got > 0 ? OUT_PARTIAL : outcome_of(got);
}

/* ---- write ---------------------------------------------------------------------------------------------------------------------------- */

/* Files in memory grow, but not over FILE_PAGES; others end where they end. */
static void clip_to_file(struct transfer *t)
{
	uint64_t most = file_has_pager(t->n) ? t->room : FILE_PAGES * PAGE_SIZE - t->offset;

	if (t->length > most)
		t->length = most;
}

/* The bytes up to `done` are in the file. */
static void extend(struct transfer *t, size_t done)
{
	if (done > 0 && t->offset + done > t->ref->size)
		t->ref->size = t->offset + done;
}

/* `put` bytes were written: the same in the reference, part by part, because a file that grows may let more of its own mapping be read. */
static enum outcome judge_write(struct process *p, struct transfer *t, size_t put)
{
	enum outcome outcome = OUT_OK;
	size_t done = 0, part;

	for (; done < t->length; done += part) {
		bool readable = accessible(p, t->at + done, REF_READ, done == put);

		part = part_in_page(t->offset + done, part_in_page(t->at + done, t->length - done));
		if ((done + part > put) == readable && !(readable && (memory_was_refused() || pager_failed())))
			differ("write of %zu bytes at %lx: %zu are written, and it should %s", t->length, t->offset, put, readable ? "go on" : "end before");
		if (done + part > put) {
			outcome = readable ? memory_was_refused() ? OUT_REFUSED : OUT_UNREADABLE : done ? OUT_PARTIAL : OUT_EFAULT;
			break;
		}
		uint8_t *to = ref_object_writable(t->ref, (t->offset + done) >> PAGE_SHIFT) + ((t->offset + done) & PAGE_MASK);
		memmove(to, ref_bytes(p->ref, page_of(t->at + done)) + ((t->at + done) & PAGE_MASK), part);
		if (((t->offset + done + part) & PAGE_MASK) == 0)
			extend(t, done + part);
	}
	if (done != put)
		differ("write of %zu bytes at %lx: %zu are written", t->length, t->offset, put);
	extend(t, done);
	return outcome;
}

enum outcome op_write(struct process *p, const unsigned long *a)
{
	struct transfer t = transfer(a, FILE_BORROWED);

	clip_to_file(&t);
	if (t.f->written || t.length == 0 || overlaps(p, &t))
		return OUT_NOTHING;
	struct uio uio = uio_user(t.at, t.length);
	sim_enter(p->space);
	t.f->written++;
	ssize put = object_write(t.f->object, &uio, t.offset);
	t.f->written--;
	t.f->version++;
	if (put < 0 && put != -EFAULT)
		return expect_error("write", put, 0);
	return judge_write(p, &t, put > 0 ? (size_t)put : 0);
}

enum outcome op_write_kernel(struct process *p, const unsigned long *a)
{
	static __thread uint8_t bytes[COPY_MAX];
	struct transfer t = transfer((const unsigned long[]){ a[0], a[1], 0, a[2] }, FILE_BORROWED);
	size_t part;
	(void)p;

	clip_to_file(&t);
	if (t.f->written || t.length == 0)
		return OUT_NOTHING;
	for (size_t i = 0; i < t.length; i++)
		bytes[i] = value_byte(a[3], i);
	struct uio uio = uio_kernel(bytes, t.length);
	t.f->written++;
	ssize put = object_write(t.f->object, &uio, t.offset);
	t.f->written--;
	if (put != (ssize)t.length && !memory_was_refused() && !pager_failed())
		differ("write of %zu bytes at %lx gives %ld", t.length, t.offset, (long)put);
	for (size_t i = 0; (ssize)i < put; i += part) {
		part = part_in_page(t.offset + i, (size_t)put - i);
		memcpy(ref_object_writable(t.ref, (t.offset + i) >> PAGE_SHIFT) + ((t.offset + i) & PAGE_MASK), &bytes[i], part);
	}
	t.f->version++;
	extend(&t, put > 0 ? (size_t)put : 0);
	return put == (ssize)t.length ? OUT_OK : put > 0 ? OUT_PARTIAL : outcome_of(put);
}

/* ---- the whole file --------------------------------------------------------------------------------------------------------------------- */

/* What is cut off goes from all mappings, private copies too. */
enum outcome op_truncate(struct process *p, const unsigned long *a)
{
	unsigned n = FILE_DISK + a[0] % (FILES - FILE_DISK);
	uint64_t size = a[1] % (FILE_PAGES * PAGE_SIZE + 1);
	(void)p;

	if (file[n].written || (n == FILE_DISK && file[n].busy))
		return OUT_NOTHING;
	file[n].version++;
	if (n == FILE_DISK) {
		size &= ~(uint64_t)PAGE_MASK;
		memset(disk[n][size >> PAGE_SHIFT], 0, FILE_PAGES * PAGE_SIZE - size);
	}
	vm_truncate(file[n].object, size);
	ref_truncate(n, size);
	return OUT_OK;
}

enum outcome op_punch(struct process *p, const unsigned long *a)
{
	unsigned n = FILE_TMPFS + a[0] % (FILES - FILE_TMPFS);
	uint64_t from = a[1] % (FILE_PAGES * PAGE_SIZE), room = FILE_PAGES * PAGE_SIZE - from, to = from + (a[2] < room ? a[2] : room);
	(void)p;

	if (file[n].written || from == to)
		return OUT_NOTHING;
	file[n].version++;
	vm_punch(file[n].object, from, to);
	ref_punch(n, from, to);
	return OUT_OK;
}

/* fsync of a file, or sync. */
enum outcome op_sync(struct process *p, const unsigned long *a)
{
	unsigned n = a[0] % (FILES + 1), first = n < FILES ? n : 0, last = n < FILES ? n : FILES - 1;
	(void)p;

	if (n < FILES)
		vm_writeback(file[n].object, 0, OBJECT_ENDLESS);
	else
		vm_sync();
	for (unsigned i = first; i <= last; i++)
		if (file_is_written_back(i))
			compare_disk(i, 0, FILE_PAGES);
	return OUT_OK;
}

static bool unmap_everywhere(unsigned n)
{
	bool done = true;

	for (struct process *p = process; p < process + REF_PROCESSES; p++)
		for (size_t page = 0; p->space && page < arena_pages; page++) {
			if (!p->ref->page[page].mapped || p->ref->page[page].object != (int)n)
				continue;
			if (vm_munmap(p->space, address_of(page), PAGE_SIZE) == 0)
				ref_unmap(p->ref, page, 1);
			else if (memory_was_refused())
				done = false;
			else
				differ("munmap of one page fails");
		}
	return done;
}

/* A file is forgotten, with its mappings, and read anew; not while a fault is about it: two objects of one file are not allowed. */
enum outcome op_renew(struct process *p, const unsigned long *a)
{
	unsigned n = a[0] % FILE_TMPFS;
	struct file *f = &file[n];
	(void)p;

	if (f->busy || f->written || !unmap_everywhere(n) || f->object->refs > 1)
		return OUT_NOTHING;
	struct object *fresh = new_object(n);
	if (!fresh)
		return expect_error("object_create", -ENOMEM, 0);
	object_put(f->object);
	f->object = fresh;
	f->version++;
	return OUT_OK;
}
