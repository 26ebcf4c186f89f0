/*
 * kernel/exec.h - between the files of execve: exec.c, exec_args.c, exec_script.c.
 */
#pragma once
#include "kernel/elf.h"
#include "kernel/life.h"

enum personality_flag {		/* Linux's */
	STICKY_TIMEOUTS = 0x4000000, MMAP_PAGE_ZERO = 0x0100000, ADDR_COMPAT_LAYOUT = 0x0200000, ADDR_NO_RANDOMIZE = 0x0040000, READ_IMPLIES_EXEC = 0x0400000,
	PERSONALITY_UNSAFE = MMAP_PAGE_ZERO | ADDR_COMPAT_LAYOUT | ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC,	/* not for who gains rights */
};

enum {
	EXEC_SCRIPT_DEPTH = 4,			/* scripts whose interpreter is a script */
	EXEC_SCRIPT_STRINGS = 2 * (EXEC_SCRIPT_DEPTH + 1) + 1,
	EXEC_SCRIPT_LINE = 256,			/* bytes of the first line that count */
	EXEC_STRING_MAX = 131072,		/* bytes of one argument, with its NUL */
};

/* The strings in the order in which they will lie in memory, NUL-terminated, page after page. */
struct exec_page {
	struct exec_page *next;
	size_t used;
	char bytes[];
};

/* Where the parts of its memory go, in bytes. */
struct exec_layout {
	vaddr_t stack_top, mmap_top;
	size_t stack_limit;
	size_t stack_offset;			/* between the strings and what lies below them */
	vaddr_t program;			/* a position-independent one */
	size_t brk_distance;			/* from the program's end to its break */
};

struct exec {
	struct process *process;
	struct file *file, *interpreter_file;
	struct elf_image image, interpreter;
	struct space *space;			/* the new one; once the process has it, the old one */
	struct exec_layout layout;
	struct file_table *files;		/* a copy of a shared one, or NULL; then, the shared one */
	struct signal_actions *actions;		/* the same */
	vaddr_t vdso;				/* where its header is; 0: nowhere */
	vaddr_t stack;				/* where the new program's stack pointer is */
	struct program_layout told;		/* for /proc */
	char name[16];
	uint32_t euid, egid, personality;
	bool secure;
	bool runs;				/* file's vnode is counted as a running program */

	struct exec_page *first, *last;
	size_t bytes, limit;			/* of strings; limit counts their pointers too */
	size_t argc, envc;

	/* argv[0] and more in place of the first argument, when it is a script: from first_script_string on. */
	const char *script_string[EXEC_SCRIPT_STRINGS];
	unsigned first_script_string;
	char *script_line[EXEC_SCRIPT_DEPTH + 1];	/* owned */
	unsigned script_lines;
};

/* exec_script.c: is e->file a script?  Then its interpreter and argument are put before the strings: 1.  0: no. -ENOEXEC, -ENOMEM, -EIO. */
int exec_script(struct exec *, const char *path);

/* exec_layout.c: what /proc/sys/kernel/randomize_va_space says, as on Linux; and the choice, for e->layout. */
enum { RANDOMIZE_NOTHING, RANDOMIZE_MAPS, RANDOMIZE_ALL };	/* all: the break as well */
extern unsigned randomize_maps;
void exec_choose_layout(struct exec *);

/* exec_args.c: copies all strings.  -E2BIG, -EFAULT, -ENOMEM. */
int exec_gather(struct exec *, const struct exec_strings *, const char *path);
/* Bytes of stack that exec_write_stack will need. */
size_t exec_stack_bytes(const struct exec *);
/* With the new space active: writes it all; e->stack is the result. -EFAULT. */
int exec_write_stack(struct exec *);
void exec_drop_strings(struct exec *);
