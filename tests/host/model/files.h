/*
 * tests/host/model/files.h - the files of the model test: two that are read, one that is lent from the image, two in memory.
 *
 * In a step, a file is its number.  In the reference it is the object of the same number.
 */
#pragma once
#include "vm/object.h"

enum { FILE_BORROWED, FILE_READ, FILE_READ_TOO, FILE_TMPFS, FILE_TMPFS_TOO, FILES };
enum { FILE_PAGES = 48 };		/* no file is larger */
static const paddr_t IMAGE_START = 0x180000, IMAGE_END = 0x180000 + FILE_PAGES * 4096;

struct file {
	struct object *object;
	unsigned busy, written;		/* threads that read it, or write it, at the moment */
	unsigned version;		/* counts changes */
};
extern struct file file[FILES];

static inline bool file_has_pager(unsigned n) { return n < FILE_TMPFS; }
void files_start(void);
void files_end(void);
