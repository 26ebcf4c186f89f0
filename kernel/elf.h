/*
 * kernel/elf.h - ELF programs: reading their headers, mapping their segments.
 *
 * Source: System V ABI, chapter 5 (Program Loading); ELF-64 Object File Format; the limits are Linux's.
 * Nothing that a file says is believed: every sum is checked, and segments go only where vm_mmap lets a user map.
 */
#pragma once
#include "vm/object.h"
#include "vm/space.h"

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_image {
	struct object *object;			/* not owned: the file holds it */
	struct elf_header header;
	struct elf_segment *segments;		/* owned */
	/* What elf_map finds out: */
	vaddr_t bias;				/* added to the file's addresses */
	vaddr_t entry;
	vaddr_t phdr;				/* where the program headers are in memory; 0: nowhere */
	vaddr_t end;				/* above the last segment: the break starts there */
	vaddr_t code_start, code_end, data_start, data_end;	/* as Linux tells them, without regard to pages */
};

enum { PATH_OF_INTERPRETER = 4096 };

/* Reads and checks the headers: 0; -ENOEXEC: no program for this machine, or it is damaged; -EIO, -ENOMEM.  Then elf_close. */
int elf_open(struct elf_image *, struct object *);
void elf_close(struct elf_image *);
/* The path in PT_INTERP, kmalloced, into *path; NULL: there is none.  -ENOEXEC, -EIO, -ENOMEM. */
int elf_interpreter(const struct elf_image *, char **path);
/* May the stack be executed? */
bool elf_wants_exec_stack(const struct elf_image *);
/* Maps the segments into a space that is not in use yet, those of a position-independent program from `at` on; reads nothing.  -ENOEXEC, -ENOMEM. */
enum elf_role { ELF_PROGRAM, ELF_INTERPRETER };
int elf_map(struct elf_image *, struct space *, enum elf_role, vaddr_t at);
/* With that space active: zeroes what lies between the end of a segment's file part and its page's end.  -EFAULT: it cannot be written. */
int elf_zero_tails(const struct elf_image *);
