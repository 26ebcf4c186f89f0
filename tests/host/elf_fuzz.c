/*
 * tests/host/elf_fuzz.c - libFuzzer's way into the ELF loader: any bytes are opened as a program, mapped into a space, and read there.
 *
 *   make fuzz-elf TIME=60
 *
 * The last byte of the input is not the file's: it chooses between program and interpreter, and which allocation fails.  What the loader has mapped
 * is compared with what the file says of its last segment, and must lie in user memory; then all goes, and nothing may be left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"
#include "arch/uaccess.h"
#include "kernel/elf.h"
#include "vm/check.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/mmap.h"
#include "vm/report.h"

enum { RAM = 4 << 20, PAGES_READ = 24, SEGMENT_LOAD = 1 };

static const uint8_t *file;
static size_t file_size;
static size_t clean_bytes;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool so, const char *what)
{
	if (so)
		return;
	fprintf(stderr, "elf: not so: %s\n", what);
	abort();
}

static int read_page(struct object *o, uint64_t index, void *to)
{
	size_t offset = index << PAGE_SHIFT, n = offset < file_size ? file_size - offset : 0;

	(void)o;
	memset(to, 0, PAGE_SIZE);
	memcpy(to, file + offset, n < PAGE_SIZE ? n : PAGE_SIZE);
	return 0;
}

static const struct pager pager = { .read = read_page };

static size_t heap_bytes(void)
{
	struct heap_stats stats;
	heap_get_stats(&stats);
	return stats.bytes;
}

/* All regions lie in user memory and follow each other; the first pages of each can be touched without harm. */
static void judge_space(struct space *s)
{
	struct region_info r;
	vaddr_t end = USER_MIN;
	unsigned touched = 0;
	uint8_t byte;

	for (vaddr_t at = 0; vm_region_info(s, at, &r); at = end = r.end) {
		must(r.start >= end && r.end > r.start && r.end <= USER_MAX, "regions lie in user memory, one above the other");
		for (vaddr_t va = r.start; va < r.end && touched < PAGES_READ; va += PAGE_SIZE, touched++)
			sim_read_byte(s, va, &byte);
	}
}

/* The last segment lies over all others: what is read there is in the file, or zero behind the file's part. */
static void judge_last_segment(struct space *s, const struct elf_image *image)
{
	const struct elf_segment *last = NULL;
	uint8_t byte;

	for (unsigned i = 0; i < image->header.phnum; i++)
		if (image->segments[i].type == SEGMENT_LOAD && image->segments[i].memsz)
			last = &image->segments[i];
	must(last != NULL, "there is a segment");
	vaddr_t at = last->vaddr + image->bias;
	uint64_t there = last->offset + last->filesz <= file_size ? last->filesz : last->offset < file_size ? file_size - last->offset : 0;
	if (there && sim_read_byte(s, at, &byte) == FAULT_DONE)
		must(byte == file[last->offset], "a segment's first byte is the file's");
	if (there && sim_read_byte(s, at + there - 1, &byte) == FAULT_DONE)
		must(byte == file[last->offset + there - 1], "a segment's last byte in the file is the file's");
	if (last->memsz > last->filesz && (last->flags & 2 || page_floor(at + last->memsz - 1) >= page_ceil(at + last->filesz))
	    && sim_read_byte(s, at + last->memsz - 1, &byte) == FAULT_DONE)
		must(byte == 0, "behind the file's part a segment is zero");
}

static void load(struct object *o, enum elf_role role, unsigned long fail_at)
{
	struct elf_image image;
	struct space *s = space_create();
	char *interpreter = NULL;

	alloc_fail_at = fail_at;
	int error = elf_open(&image, o);
	if (!error) {
		elf_interpreter(&image, &interpreter);
		elf_wants_exec_stack(&image);
		error = elf_map(&image, s, role, USER_MAX / 3 * 2 & ~(vaddr_t)PAGE_MASK);
	}
	must(error == 0 || error == -ENOEXEC || error == -ENOMEM, "a file that is no program is refused as such");
	if (!error) {
		vm_set_brk(s, page_ceil(image.end));
		must(image.entry < USER_MAX && image.end <= USER_MAX, "entry and break are in user memory");
		sim_enter(s);
		error = elf_zero_tails(&image);
		alloc_fail_at = 0;
		judge_space(s);
		if (!error)
			judge_last_segment(s, &image);
	}
	alloc_fail_at = 0;
	kfree(interpreter);
	elf_close(&image);
	sim_stop(s);
	space_put(s);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	sim_boot(RAM);
	clean_bytes = heap_bytes();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmcheck report;

	if (size < 1)
		return 0;
	file = data;
	file_size = size - 1;
	struct object *o = object_create(&pager, NULL, file_size);
	load(o, data[size - 1] & 1 ? ELF_INTERPRETER : ELF_PROGRAM, data[size - 1] >> 1);
	object_put(o);
	vm_check(&report);
	must(report.errors == 0 && report.spaces == 0 && report.objects == 0, "nothing is left, and vm_check is content");
	must(heap_bytes() == clean_bytes, "no block of the heap is left");
	return 0;
}
