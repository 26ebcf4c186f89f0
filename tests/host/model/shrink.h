/* tests/host/model/shrink.h - makes a program that fails as short and plain as it can be. */
#pragma once
#include "program.h"

/*
 * The program fails (child_run says so); steps up to `last` have run then.  Gives the shortest one found that still fails, in memory of malloc; it need not
 * fail for the same reason.
 */
struct program shrink(const struct program *, unsigned last);
