/*
 * vm/kspace.h - kernel address ranges: memory that is contiguous only virtually.
 *
 * A range has an unmapped guard page on each side.  KSPACE_LAZY ranges get their frames when they are written first
 * (allocate on write): only for memory that is never touched with a spinlock held.
 */
#pragma once
#include "vm/types.h"

enum kspace_how { KSPACE_MAPPED, KSPACE_LAZY };

/* npages of zeroed kernel memory, or NULL. Takes the kspace lock. */
void *kspace_alloc(size_t npages, enum kspace_how);
void  kspace_free(void *);
size_t kspace_size(const void *);	/* bytes */
/* Kernel stack of KERNEL_STACK_PAGES with a guard page below, or NULL; a few free ones are kept.  Returns its lowest address. */
void *kstack_alloc(void);
void  kstack_free(void *);
size_t kstack_cached(void);		/* free stacks kept */
void kstack_drop(void);			/* frees them */
/* Is this a kernel range's guard page, and whose? For panic messages: "guard page below a kernel stack", or NULL. */
const char *kspace_describe(vaddr_t);

struct kspace_stats { size_t ranges, pages; };
void kspace_get_stats(struct kspace_stats *);
