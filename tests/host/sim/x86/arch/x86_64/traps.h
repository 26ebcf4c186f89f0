/* tests/host/sim/x86/arch/x86_64/traps.h - what arch/x86_64/requests.c needs of it: processors have the numbers that they have there. */
#pragma once
#include "arch/cpu.h"
#include "arch/x86_64/frame.h"

struct arch_cpu { uint32_t apic_id; };
extern struct arch_cpu arch_cpus[CPUS_MAX];
bool cpu_stopping(void);
void cpu_stop_here(void) __attribute__((noreturn));
