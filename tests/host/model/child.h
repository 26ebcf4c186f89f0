/*
 * tests/host/model/child.h - runs a program in a child process: it may abort, be stopped by a sanitizer, or hang, and the next one finds a new machine.
 */
#pragma once
#include "run.h"

enum { CHILD_SECONDS = 20 };		/* more is a hang: a program takes less than one */
enum child_output { CHILD_SPEAKS, CHILD_SILENT };

/* Memory that children share with us, zeroed. */
void *child_shared(size_t size);
/* True: it ended well.  What it counted is in *run_stats (child_shared); interrupted: SIGINT or SIGTERM has ended it. */
bool child_run(const struct program *, enum child_output);
extern volatile bool interrupted;
