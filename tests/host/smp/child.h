/* tests/host/smp/child.h - a program runs in a process of its own: it may abort, be stopped by a sanitizer, or hang, and the next one finds a new machine. */
#pragma once
#include <stddef.h>

/* Memory that children share with us, zeroed. */
void *child_shared(size_t size);
enum child_end { CHILD_WELL, CHILD_FAILS, CHILD_HANGS };
enum child_end child_run(void (*fn)(const void *), const void *arg, unsigned seconds);
