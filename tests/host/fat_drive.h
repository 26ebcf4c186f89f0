/*
 * tests/host/fat_drive.h - the FAT driver on the host: compiled with the host's heap, so that the sanitizer sees a byte too far in its
 * own blocks, and walked as programs would walk it.
 */
#pragma once
#include "sim.h"
#include "fs/fat.h"

/* Blocks of the driver that are live; the n-th allocation from now on fails (0: none). */
extern size_t drive_blocks;
extern unsigned long drive_fail_at;
extern uint32_t drive_change_seed;		/* drive_everything also changes what it finds, by this number; 0: it does not */
extern unsigned drive_pauses;			/* calls of pager_pause */
extern int64_t drive_now;			/* the time of day, seconds */

/* The RAM that holds an image: frame-aligned, so pages can be borrowed.  Inside the reserved range of drive_boot. */
enum { DRIVE_IMAGE_MAX = 40 << 20 };
void drive_boot(void);				/* a machine with room for an image */
uint8_t *drive_image(void);
pfn_t drive_image_pfn(void);

/* What a walk over everything found. */
struct drive_report { size_t nodes, files, links, errors; uint64_t bytes; };
/*
 * Mounts the image, visits every name, reads pages of every file, and unmounts.  NULL, or why it could not be mounted.
 * Whatever the image holds, it ends, and nothing is left of it.
 */
const char *drive_everything(void *image, size_t size, pfn_t first_frame, struct drive_report *);

/* One name in a directory, with a reference; or an errno. */
int drive_lookup(struct vnode *dir, const char *name, struct vnode **out);
/* A path from the root of a mount. */
int drive_path(struct mount *, const char *path, struct vnode **out);
int drive_open(struct vnode *);			/* vnode->object is there after it */
/* Bytes of the object from `offset` on, clipped to its size, or an errno. */
ssize drive_read(struct vnode *, void *to, size_t n, uint64_t offset);
