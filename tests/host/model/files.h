/*
 * tests/host/model/files.h - the files of the model test: one that is read, one that is lent from the image, one whose pages are written back
 * to a disk (those of the image are, too: in place), two in memory.
 *
 * In a step, a file is its number.  In the reference it is the object of the same number.
 */
#pragma once
#include "vm/object.h"

enum { FILE_READ, FILE_BORROWED, FILE_DISK, FILE_TMPFS, FILE_TMPFS_TOO, FILES };
enum { FILE_PAGES = 48 };		/* no file is larger */
static const paddr_t IMAGE_START = 0x180000, IMAGE_END = 0x180000 + FILE_PAGES * 4096;

struct file {
	struct object *object;
	unsigned busy, written;		/* threads that read it, or write it, at the moment */
	unsigned version;		/* counts changes */
};
extern struct file file[FILES];

static inline bool file_has_pager(unsigned n) { return n < FILE_TMPFS; }
static inline bool file_is_written_back(unsigned n) { return n == FILE_BORROWED || n == FILE_DISK; }
/* Pages first to first + n - 1 have just been written back: does the disk have what the file has? */
void compare_disk(unsigned n, size_t first, size_t npages);
void files_start(void);
void files_end(void);
