/* tests/host/sim/arch_thread.h - the simulated machine has no registers. */
#pragma once
struct arch_thread { int none; };
enum { ARCH_ELF_MACHINE = 62 };
