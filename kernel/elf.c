/*
 * kernel/elf.c - ELF programs.  See elf.h.
 *
 * A segment becomes a private mapping of the file, and anonymous memory where it is longer than its part of the file.  The page in which
 * the file part ends may hold more of the file: that is zeroed in the process's own copy (elf_zero_tails).  All else is read when it is
 * touched.
 */
#include "kernel/elf.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/mmap.h"

enum { TYPE_EXEC = 2, TYPE_DYN = 3, CLASS_64 = 2, LITTLE_ENDIAN = 1, SEGMENTS_MAX = 65536 / sizeof(struct elf_segment) };
enum { SEGMENT_LOAD = 1, SEGMENT_INTERP = 3, SEGMENT_GNU_STACK = 0x6474e551 };
enum { SEGMENT_X = 1, SEGMENT_W = 2, SEGMENT_R = 4 };

#define for_each_load(image, s) \
	for (const struct elf_segment *s = (image)->segments, *s##_end = s + (image)->header.phnum; s < s##_end; s++) \
		if (s->type == SEGMENT_LOAD)

/* Exactly n bytes of the file at offset; a file that ends before that is no program. */
static int read_exactly(struct object *object, void *to, size_t n, uint64_t offset)
{
	struct uio uio = uio_kernel(to, n);
	ssize got = object_read(object, &uio, offset);
	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -ENOEXEC;
}

static bool header_good(const struct elf_header *h)
{
	return memcmp(h->ident, "\177ELF", 4) == 0 && h->ident[4] == CLASS_64 && h->ident[5] == LITTLE_ENDIAN &&
		(h->type == TYPE_EXEC || h->type == TYPE_DYN) && h->machine == ELF_MACHINE &&
		h->phentsize == sizeof(struct elf_segment) && h->phnum > 0 && h->phnum <= SEGMENTS_MAX &&
		h->phoff <= INT64_MAX - SEGMENTS_MAX * sizeof(struct elf_segment);
}

/* Sums cannot overflow, and pages of the file lie at the same place in pages of memory. */
static bool segment_good(const struct elf_segment *s)
{
	return s->filesz <= s->memsz && s->memsz <= USER_MAX && s->vaddr <= USER_MAX - s->memsz &&
		s->offset <= INT64_MAX && s->filesz <= INT64_MAX - s->offset &&
		(s->filesz == 0 || ((s->offset ^ s->vaddr) & PAGE_MASK) == 0);
}

static bool segments_good(const struct elf_image *image)
{
	bool any = false;
	for_each_load(image, s) {
		if (!segment_good(s))
			return false;
		any = any || s->memsz;
	}
	return any;
}

int elf_open(struct elf_image *image, struct object *object)
{
	memset(image, 0, sizeof *image);
	image->object = object;
	int error = read_exactly(object, &image->header, sizeof image->header, 0);
	if (error)
		return error;
	if (!header_good(&image->header))
		return -ENOEXEC;
	size_t size = image->header.phnum * sizeof(struct elf_segment);
	image->segments = kmalloc(size);
	if (!image->segments)
		return -ENOMEM;
	error = read_exactly(object, image->segments, size, image->header.phoff);
	if (!error && !segments_good(image))
		error = -ENOEXEC;
	if (error)
		elf_close(image);
	return error;
}

void elf_close(struct elf_image *image)
{
	kfree(image->segments);
	image->segments = NULL;
}

int elf_interpreter(const struct elf_image *image, char **path)
{
	*path = NULL;
	for (unsigned i = 0; i < image->header.phnum; i++) {
		const struct elf_segment *s = &image->segments[i];
		if (s->type != SEGMENT_INTERP)
			continue;
		if (s->filesz < 2 || s->filesz > PATH_OF_INTERPRETER || s->offset > INT64_MAX)
			return -ENOEXEC;
		char *text = kmalloc(s->filesz);
		if (!text)
			return -ENOMEM;
		int error = read_exactly(image->object, text, s->filesz, s->offset);
		if (!error && text[s->filesz - 1] != '\0')
			error = -ENOEXEC;
		if (error) {
			kfree(text);
			return error;
		}
		*path = text;
		return 0;
	}
	return 0;
}

bool elf_wants_exec_stack(const struct elf_image *image)
{
	for (unsigned i = 0; i < image->header.phnum; i++)
		if (image->segments[i].type == SEGMENT_GNU_STACK)
			return image->segments[i].flags & SEGMENT_X;
	return false;
}

static unsigned segment_rights(const struct elf_segment *s)
{
	return (s->flags & SEGMENT_R ? VM_READ : 0) | (s->flags & SEGMENT_W ? VM_WRITE : 0) | (s->flags & SEGMENT_X ? VM_EXEC : 0);
}

static int failed(vaddr_t mapped)
{
	ssize error = (ssize)mapped;
	return error < 0 && error >= -4095 ? (int)error : 0;
}

/* From the lowest to the highest byte of all segments, in whole pages. */
static void extent(const struct elf_image *image, vaddr_t *low, vaddr_t *high, uint64_t *align)
{
	*low = USER_MAX;
	*high = 0;
	*align = PAGE_SIZE;
	for_each_load(image, s) {
		if (page_floor(s->vaddr) < *low)
			*low = page_floor(s->vaddr);
		if (page_ceil(s->vaddr + s->memsz) > *high)
			*high = page_ceil(s->vaddr + s->memsz);
		if (s->align > *align && (s->align & (s->align - 1)) == 0)
			*align = s->align;
	}
}

/* Finds a place for a position-independent file: a program's is `at`. */
static int choose_bias(struct elf_image *image, struct space *space, enum elf_role role, vaddr_t at)
{
	vaddr_t low, high;
	uint64_t align;
	extent(image, &low, &high, &align);
	if (role == ELF_INTERPRETER) {
		at = vm_mmap(space, 0, high - low, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NULL, 0);
		if (failed(at))
			return failed(at);
		vm_munmap(space, at, high - low);
	} else {
		at &= ~(align - 1);
		if (high - low > USER_MAX - at)
			return -ENOMEM;
	}
	image->bias = at - low;
	return 0;
}

static int map_segment(const struct elf_image *image, struct space *space, const struct elf_segment *s)
{
	vaddr_t start = page_floor(s->vaddr + image->bias), file_end = start;
	vaddr_t end = page_ceil(s->vaddr + image->bias + s->memsz);
	unsigned rights = segment_rights(s);
	int error = 0;

	if (s->filesz) {
		file_end = page_ceil(s->vaddr + image->bias + s->filesz);
		error = failed(vm_mmap(space, start, file_end - start, rights, MAP_PRIVATE | MAP_FIXED, image->object,
			page_floor(s->offset)));
	}
	if (!error && end > file_end)
		error = failed(vm_mmap(space, file_end, end - file_end, rights, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, NULL, 0));
	return error == 0 || error == -ENOMEM ? error : -ENOEXEC;
}

/* Where the segments carry the program headers to. */
static void find_headers(struct elf_image *image)
{
	for_each_load(image, s)
		if (s->offset <= image->header.phoff && image->header.phoff - s->offset < s->filesz)
			image->phdr = image->header.phoff - s->offset + s->vaddr + image->bias;
}

/* Code begins with the lowest segment and ends with the last that can be executed; data begin with the highest. */
static void find_bounds(struct elf_image *image)
{
	image->code_start = USER_MAX;
	for_each_load(image, s) {
		vaddr_t start = s->vaddr + image->bias, end = start + s->filesz;
		if (start < image->code_start)
			image->code_start = start;
		if (start > image->data_start)
			image->data_start = start;
		if (s->flags & SEGMENT_X && end > image->code_end)
			image->code_end = end;
		if (end > image->data_end)
			image->data_end = end;
	}
}

int elf_map(struct elf_image *image, struct space *space, enum elf_role role, vaddr_t at)
{
	int error = image->header.type == TYPE_DYN ? choose_bias(image, space, role, at) : 0;
	if (error)
		return error;
	for_each_load(image, s) {
		error = s->memsz ? map_segment(image, space, s) : 0;
		if (error)
			return error;
		if (image->end < s->vaddr + image->bias + s->memsz)
			image->end = s->vaddr + image->bias + s->memsz;
	}
	image->entry = image->header.entry + image->bias;
	if (image->entry >= USER_MAX)
		return -ENOEXEC;
	find_headers(image);
	find_bounds(image);
	return 0;
}

int elf_zero_tails(const struct elf_image *image)
{
	for_each_load(image, s) {
		vaddr_t tail = s->vaddr + image->bias + s->filesz;
		bool covered = false;		/* the page is a later segment's */
		for (const struct elf_segment *t = s + 1; t < s_end; t++)
			covered |= t->type == SEGMENT_LOAD && t->memsz && page_floor(t->vaddr) < s->vaddr + s->filesz && page_ceil(t->vaddr + t->memsz) > s->vaddr + s->filesz;
		if (!s->filesz || s->memsz == s->filesz || !(s->flags & SEGMENT_W) || covered)
			continue;
		if (user_zero(tail, page_ceil(tail) - tail))
			return -EFAULT;
	}
	return 0;
}
