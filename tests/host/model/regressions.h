/* tests/host/model/regressions.h - programs that have found bugs. */
#pragma once
#include "program.h"

extern const struct program regressions[];
extern const unsigned nregressions;
