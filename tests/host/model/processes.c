/*
 * tests/host/model/processes.c - processes come and go.
 *
 * The arena: a window in which mappings are made, then room for a stack.  Everything above is closed by one mapping without rights, so that
 * what the kernel chooses lies in the arena too.
 */
#include <string.h>
#include "inside.h"

enum { STACK_PAGES = 40 /* the limit */, STACK_FIRST_PAGES = 2 };

struct process process[REF_PROCESSES];

static vaddr_t stack_top(void)
{
	return address_of(arena_pages);
}

/* What exec makes: a stack, the lid, a break.  NULL: no memory. */
static struct space *new_space(void)
{
	struct space *s = space_create();
	const unsigned lid = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

	if (!s)
		return NULL;
	s->mmap_top = address_of(arena_pages - ARENA_STACK);
	s->stack_limit = STACK_PAGES << PAGE_SHIFT;
	vm_set_brk(s, USER_MIN + 5 * PAGE_SIZE + 100);
	if (vm_mmap(s, stack_top(), USER_MAX - stack_top(), 0, lid, NULL, 0) == stack_top()
	    && vm_map_stack(s, stack_top(), STACK_FIRST_PAGES << PAGE_SHIFT, VM_READ | VM_WRITE) == 0)
		return s;
	space_put(s);
	return NULL;
}

static void begin(struct process *p, struct space *s)
{
	const struct ref_page stack = { .mapped = true, .rights = REF_READ | REF_WRITE, .stack = true, .object = -1 };

	p->space = s;
	p->brk = s->brk;
	ref_start(p->ref, arena_pages, STACK_PAGES);
	ref_map(p->ref, arena_pages - STACK_FIRST_PAGES, STACK_FIRST_PAGES, stack);
}

static void end(struct process *p)
{
	sim_stop(p->space);
	space_put(p->space);
	p->space = NULL;
	ref_end(p->ref);
}

enum outcome op_fork(struct process *parent, const unsigned long *a)
{
	struct process *child = process;
	(void)a;

	while (child < process + REF_PROCESSES && child->space)
		child++;
	if (child == process + REF_PROCESSES)
		return OUT_NOTHING;
	struct space *s = space_fork(parent->space);
	ref_changed(parent->ref, 0, arena_pages);
	if (!s)
		return expect_error("fork", -ENOMEM, 0);
	child->space = s;
	child->brk = parent->brk;
	ref_fork(child->ref, parent->ref);
	return OUT_OK;
}

static unsigned alive(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < REF_PROCESSES; i++)
		n += process[i].space != NULL;
	return n;
}

/* busy: how many threads may be at it. */
static enum outcome try_to_end(struct process *p, unsigned busy)
{
	if (alive() == 1 || p->busy > busy)
		return OUT_NOTHING;
	end(p);
	return OUT_OK;
}

enum outcome op_exit(struct process *p, const unsigned long *a)
{
	(void)a;
	return try_to_end(p, 1);
}

void kill_largest(void)
{
	struct process *largest = NULL;

	for (struct process *p = process; p < process + REF_PROCESSES; p++)
		if (p->space && (!largest || space_resident(p->space) > space_resident(largest->space)))
			largest = p;
	try_to_end(largest, 0);
}

enum outcome op_exec(struct process *p, const unsigned long *a)
{
	(void)a;
	if (p->busy > 1)
		return OUT_NOTHING;
	struct space *s = new_space();
	if (!s)
		return expect_error("exec", -ENOMEM, 0);
	end(p);
	begin(p, s);
	return OUT_OK;
}

void processes_start(void)
{
	for (unsigned i = 0; i < REF_PROCESSES; i++)
		process[i] = (struct process){ .ref = &ref_process[i] };
	struct space *s = new_space();
	if (!s)
		differ("no memory for the first process");
	begin(&process[0], s);
}

void processes_end(void)
{
	for (unsigned i = 0; i < REF_PROCESSES; i++)
		if (process[i].space)
			end(&process[i]);
}
