/*
 * vmcheck - lets the kernel compare all its page tables, regions, objects and free lists with its page records, and prints what it found.
 *
 *	vmcheck [--json]
 *
 * Exit status: 0 if all agrees, 1 if there are discrepancies (the kernel names them on its console), 2 if it cannot be asked.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "abi/faultline.h"

#define FIELD(name) { #name, offsetof(struct vmcheck, name) }
static const struct { const char *name; size_t offset; } fields[] = {
	FIELD(errors), FIELD(ram_frames), FIELD(module_frames), FIELD(managed_frames), FIELD(free_frames), FIELD(anon_frames),
	FIELD(table_frames), FIELD(object_frames), FIELD(borrowed_frames), FIELD(kernel_frames), FIELD(heap_frames), FIELD(stack_frames),
	FIELD(stacks_cached), FIELD(heap_bytes), FIELD(heap_objects), FIELD(page_array_bytes), FIELD(page_array_table_bytes),
	FIELD(records_file), FIELD(records_shared), FIELD(records_pinned), FIELD(records_cut), FIELD(objects), FIELD(spaces),
	FIELD(regions), FIELD(tasks), FIELD(open_files), FIELD(reserve_frames), FIELD(reserve_used), FIELD(vnodes),
	FIELD(kernel_tables),
};

static double per_frame(const struct vmcheck *c)
{
	return c->managed_frames ? (double)(c->page_array_bytes + c->page_array_table_bytes) / (double)c->managed_frames : 0;
}

static void print_json(const struct vmcheck *c)
{
	printf("{");
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		printf("\"%s\": %lu, ", fields[i].name, *(const uint64_t *)((const char *)c + fields[i].offset));
	printf("\"page_array_bytes_per_frame\": %.3f}\n", per_frame(c));
}

static void frames(const char *what, uint64_t n)
{
	printf("  %-28s %9lu frames %9lu KiB\n", what, n, n * 4);
}

static void print_text(const struct vmcheck *c)
{
	printf("memory\n");
	frames("usable by the memory map", c->ram_frames);
	frames("the image", c->module_frames);
	frames("managed", c->managed_frames);
	frames("free", c->free_frames);
	frames("used for all else", c->ram_frames - c->module_frames - c->free_frames);
	printf("  %-28s %9lu bytes + %lu of tables: %.3f bytes a managed frame\n", "page array", c->page_array_bytes,
	       c->page_array_table_bytes, per_frame(c));
	printf("frames in use\n");
	frames("anonymous", c->anon_frames);
	frames("of files and shared memory", c->object_frames);
	frames("borrowed from the image", c->borrowed_frames);
	frames("page tables", c->table_frames);
	frames("  of these, the kernel's", c->kernel_tables);
	frames("kernel heap", c->heap_frames);
	frames("kernel stacks", c->stack_frames);
	frames("kernel, other", c->kernel_frames);
	printf("  of the kernel stacks, %lu are kept for reuse\n", c->stacks_cached);
	printf("  in the kernel heap, %lu objects of %lu bytes\n", c->heap_objects, c->heap_bytes);
	frames("emergency reserve", c->reserve_frames);
	printf("  the reserve was used %lu times\n", c->reserve_used);
	printf("page records, by reason\n");
	printf("  file %lu, shared memory %lu, pinned %lu, cut loose %lu\n", c->records_file, c->records_shared, c->records_pinned,
	       c->records_cut);
	printf("alive\n");
	printf("  %lu tasks, %lu spaces, %lu regions, %lu objects, %lu open files, %lu vnodes\n", c->tasks, c->spaces, c->regions,
	       c->objects, c->open_files, c->vnodes);
	printf("%lu discrepancies%s\n", c->errors, c->errors ? ": see the console" : "");
}

int main(int argc, char **argv)
{
	static const char usage[] = "usage: vmcheck [--json]\nLets the kernel check its memory management, and prints what is in use.\n";
	struct vmcheck c = { 0 };
	int json = argc == 2 && !strcmp(argv[1], "--json");

	if (argc == 2 && !strcmp(argv[1], "--help"))
		return fputs(usage, stdout), 0;
	if (argc > 1 + json)
		return fputs(usage, stderr), 2;
	if (syscall(SYS_vmcheck, &c, sizeof c) < 0) {
		fprintf(stderr, "vmcheck: %s\n", errno == ENOSYS ? "this kernel has no such call" : strerror(errno));
		return 2;
	}
	(json ? print_json : print_text)(&c);
	return c.errors != 0;
}
