/*
 * fs/eventfd.h - counters that can be waited for.
 */
#pragma once
#include "fs/file.h"

enum eventfd_kind { EVENTFD_COUNTER, EVENTFD_SEMAPHORE };	/* a read takes all, or one */
/* NULL: no memory. */
struct file *eventfd_create(uint64_t count, enum eventfd_kind, unsigned flags);
