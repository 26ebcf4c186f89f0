/*
 * tests/host/sim/access.c - user memory is read, written and executed: by its program, and by the kernel for it (arch/uaccess.h).
 */
#include <string.h>
#include "thread.h"
#include "arch/uaccess.h"

__thread struct fault_stats sim_faults;
__thread struct fault_result sim_last_fault;

void sim_faults_clear(void)
{
	sim_faults = (struct fault_stats){ 0 };
}

/* One page's frame for an access, faults served: FAULT_DONE, then sim_access_end is to be called. */
static int reach(struct space *space, vaddr_t va, enum fault_access access, enum fault_mode mode, pfn_t *pfn)
{
	for (unsigned tries = 0; tries < SIM_FAULT_TRIES; tries++) {
		if (sim_access_begin(space, va, access, pfn))
			return FAULT_DONE;
		struct fault_result r = vm_fault(space, va, access, mode, &sim_faults);
		sim_last_fault = r;
		if (r.outcome != FAULT_DONE)
			return r.outcome;
	}
	panic("the fault at %lx (access %d) is served again and again", va, access);
}

enum direction { FROM_USER, TO_USER };

/* Programs may race for their memory: not the thread sanitizer's business. */
static void copy(char *to, const char *from, size_t n)
{
	if (to > from && to < from + n)
		memmove(to, from, n);
	else
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) :: "memory");
}

static int move(struct space *space, vaddr_t va, void *bytes, size_t n, enum direction direction, enum fault_mode mode, size_t *moved)
{
	for (*moved = 0; *moved < n; ) {
		vaddr_t at = va + *moved;
		size_t part = PAGE_SIZE - (at & PAGE_MASK);
		pfn_t pfn;
		if (part > n - *moved)
			part = n - *moved;
		int outcome = reach(space, at, direction == TO_USER ? FAULT_WRITE : FAULT_READ, mode, &pfn);
		if (outcome != FAULT_DONE)
			return outcome;
		char *frame = (char *)direct(pfn) + (at & PAGE_MASK);
		if (direction == TO_USER)
			copy(frame, (char *)bytes + *moved, part);	/* a file that is written from its own mapping: they may overlap */
		else
			copy((char *)bytes + *moved, frame, part);
		sim_access_end();
		*moved += part;
	}
	return FAULT_DONE;
}

int sim_read(struct space *space, vaddr_t va, void *to, size_t n)
{
	size_t moved;
	return move(space, va, to, n, FROM_USER, FAULT_USER, &moved);
}

int sim_write(struct space *space, vaddr_t va, const void *from, size_t n)
{
	size_t moved;
	return move(space, va, (void *)(uintptr_t)from, n, TO_USER, FAULT_USER, &moved);
}

int sim_exec(struct space *space, vaddr_t va)
{
	pfn_t pfn;
	int outcome = reach(space, va, FAULT_EXEC, FAULT_USER, &pfn);

	if (outcome == FAULT_DONE)
		sim_access_end();
	return outcome;
}

int sim_read_byte(struct space *space, vaddr_t va, uint8_t *to)
{
	return sim_read(space, va, to, 1);
}

int sim_write_byte(struct space *space, vaddr_t va, uint8_t value)
{
	return sim_write(space, va, &value, 1);
}

/* arch/uaccess.h */

static size_t user_move(vaddr_t user, void *bytes, size_t n, enum direction direction)
{
	size_t moved;

	sim_check_unlocked("user memory is copied");
	if (user + n < user || user + n > USER_MAX || user < USER_MIN)
		return n;
	if (!sim_current->entered)
		return n;
	move(sim_current->entered, user, bytes, n, direction, FAULT_KERNEL, &moved);
	return n - moved;
}

size_t user_copy_in(void *to, vaddr_t from, size_t n)
{
	return user_move(from, to, n, FROM_USER);
}

size_t user_copy_out(vaddr_t to, const void *from, size_t n)
{
	return user_move(to, (void *)(uintptr_t)from, n, TO_USER);
}

size_t user_zero(vaddr_t to, size_t n)
{
	static const char zeroes[256];

	while (n) {
		size_t part = n < sizeof zeroes ? n : sizeof zeroes;
		size_t left = user_copy_out(to, zeroes, part);
		if (left)
			return n - part + left;
		to += part;
		n -= part;
	}
	return 0;
}

ssize user_string(char *to, vaddr_t from, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (user_copy_in(to + i, from + i, 1))
			return -EFAULT;
		if (!to[i])
			return (ssize)i;
	}
	return -ENAMETOOLONG;
}
