/*
 * kernel/syscall.c - from a system call's number to its function.
 *
 * Linux's numbers come first; those of Faultline, from 1024 on, lie behind them in the same table.
 */
#include "kernel/syscall.h"
#include "arch/trap.h"
#include "arch/thread.h"
#include "kernel/process.h"
#include "lib/print.h"
#include "vm/reclaim.h"
#include "lib/sync.h"

typedef long (*syscall_fn)(const unsigned long args[6]);

enum { LINUX_CALLS = 464, OWN_FIRST = 1024, OWN_CALLS = 16, CALLS = LINUX_CALLS + OWN_CALLS };

#define SLOT(number) ((number) < OWN_FIRST ? (number) : (number) - OWN_FIRST + LINUX_CALLS)
#define SYSCALL(number, name) [SLOT(number)] = sys_##name,
static const syscall_fn table[CALLS] = {
#include "kernel/syscalls.def"
};
#undef SYSCALL

static bool logged[CALLS + 1];			/* unknown calls: by slot; the last is for all numbers beyond; atomic */

static unsigned long slot_of(unsigned long number)
{
	if (number < LINUX_CALLS)
		return number;
	if (number >= OWN_FIRST && number < OWN_FIRST + OWN_CALLS)
		return SLOT(number);
	return CALLS;
}

static __attribute__((noinline, cold)) long unknown_call(unsigned long number)
{
	unsigned long slot = slot_of(number);
	if (!__atomic_exchange_n(&logged[slot], true, __ATOMIC_RELAXED))
		kprintf("faultline: %s asks for system call %lu, which is not there\n", current->name, number);
	return -ENOSYS;
}

/* The tracer may have another call made, with other arguments (they lie in the frame), or none: then the result is what it says. */
static __attribute__((noinline, cold)) long traced_call(struct trap_frame *frame, const unsigned long args[6])
{
	frame_set_result(frame, -ENOSYS);
	trace_call(CALL_BEGINS);
	unsigned long slot = slot_of((unsigned long)frame_call(frame));
	long result = frame_call(frame) < 0 ? frame_result(frame) : slot == CALLS || !table[slot] ? unknown_call((unsigned long)frame_call(frame)) : table[slot](args);
	frame_set_result(frame, result);
	trace_call(CALL_ENDS);
	lock_check_none_held();
	return frame_result(frame);
}

long kernel_syscall(struct trap_frame *frame, unsigned long number, const unsigned long args[6])
{
	unsigned long slot = slot_of(number);
	if (__builtin_expect(current_thread()->trace != NULL, 0))
		return traced_call(frame, args);
	if (__builtin_expect(slot == CALLS || !table[slot], 0))
		return unknown_call(number);
	if (__builtin_expect(frame_is_short(), 0))
		reclaim_some();			/* while no lock is held: the call may need memory of the kernel's own */
	long result = table[slot](args);
	lock_check_none_held();
	return result;
}
