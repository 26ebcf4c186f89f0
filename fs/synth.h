/*
 * fs/synth.h - files whose text is made when they are read, as in /proc.
 *
 * The text is made anew by each read from position 0, and kept with the open file for the reads after it: one reader sees one state.
 */
#pragma once
#include "fs/file.h"

/* A text that grows.  Once memory has run out it stays as it is, and `error` is set. */
struct text { char *at; size_t len, room; int error; };
void text_print(struct text *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *);		/* of a text of one's own, not a file's */
void text_append(struct text *, const void *bytes, size_t n);

/* What makes the text (0 or an errno), and what takes a write (bytes as a NUL-terminated string; NULL: it cannot be written). arg is synth_open's. */
struct synth {
	int (*make)(struct text *, struct vnode *, void *arg);
	int (*take)(struct vnode *, void *arg, char *string, size_t len);
};
/* For vnode_ops->open: file->ops and data are set; -ENOMEM.  arg must live as long as the vnode. */
int synth_open(struct file *, const struct synth *, void *arg);
