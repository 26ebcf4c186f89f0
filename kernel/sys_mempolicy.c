/*
 * kernel/sys_mempolicy.c - NUMA policies, as on a machine with one node: they are checked and kept as Linux does, and change nothing.
 *
 * A policy is a mode and its flags; which nodes it has need not be kept, for whatever names nodes has node 0, the only one, in the end.  A thread has one for
 * what it touches, and a region another that mbind gave it (REGION_POLICY).
 */
#include "arch/uaccess.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "vm/fault.h"
#include "vm/mmap.h"

enum mode { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED_MANY, MPOL_MODES };
enum mode_flags { MPOL_BALANCING = 1 << 13, MPOL_RELATIVE = 1 << 14, MPOL_STATIC = 1 << 15, MPOL_MODE_FLAGS = MPOL_BALANCING | MPOL_RELATIVE | MPOL_STATIC };
enum get_flags { MPOL_NODE = 1, MPOL_ADDR = 2, MPOL_ALLOWED = 4 };
enum bind_flags { MPOL_STRICT = 1, MPOL_MOVE = 2, MPOL_MOVE_ALL = 4 };
enum { NODES_MAX = 1024, WORD_BITS = 64, FLAGS_SHIFT = 10 };	/* NODES_MAX: what Linux is built for, and bounds masks */

/* Mode and flags in six bits, as threads and regions keep them. */
static unsigned pack(unsigned mode, unsigned flags) { return mode | flags >> FLAGS_SHIFT; }
static unsigned mode_of(unsigned packed) { return packed & 7; }
static bool has_nodes(unsigned mode) { return mode != MPOL_DEFAULT && mode != MPOL_LOCAL; }

/* Which nodes a mask of the user has. */
struct nodes { bool first, others; };

static int get_nodes(struct nodes *nodes, vaddr_t from, unsigned long max)
{
	*nodes = (struct nodes){ false, false };
	if (max == 1 || !from)
		return 0;
	size_t bits = max - 1;
	if (bits > PAGE_SIZE * 8)
		return -EINVAL;
	for (size_t i = (bits + WORD_BITS - 1) / WORD_BITS; i-- > 0; ) {
		uint64_t word;
		if (user_get(word, from + i * sizeof word))
			return -EFAULT;
		if (bits < (i + 1) * WORD_BITS)
			word &= ((uint64_t)1 << bits % WORD_BITS) - 1;
		if (i >= NODES_MAX / WORD_BITS && word)
			return -EINVAL;
		nodes->first |= i == 0 && (word & 1);
		nodes->others |= i == 0 ? word > 1 : word > 0;
	}
	return 0;
}

/* The packed policy that a call asks for, or -EINVAL, -EFAULT. */
static int get_policy(unsigned long mode_and_flags, vaddr_t mask, unsigned long max)
{
	unsigned flags = (unsigned)mode_and_flags & MPOL_MODE_FLAGS, mode = (unsigned)mode_and_flags & ~(unsigned)MPOL_MODE_FLAGS;
	struct nodes nodes;

	if (mode >= MPOL_MODES || ((flags & MPOL_STATIC) && (flags & MPOL_RELATIVE)) || ((flags & MPOL_BALANCING) && mode != MPOL_BIND))
		return -EINVAL;
	int error = get_nodes(&nodes, mask, max);
	if (error)
		return error;
	bool none = !nodes.first && !nodes.others;
	if (mode == MPOL_DEFAULT)
		return none ? 0 : -EINVAL;
	if (mode == MPOL_LOCAL || (mode == MPOL_PREFERRED && none))
		return none && !flags ? (int)pack(MPOL_LOCAL, 0) : -EINVAL;
	/* Relative nodes are counted among those that there are, and around. */
	return nodes.first || (nodes.others && (flags & MPOL_RELATIVE)) ? (int)pack(mode, flags) : -EINVAL;
}

/* set_mempolicy(mode, *mask, max) */
long sys_set_mempolicy(const unsigned long args[6])
{
	int policy = get_policy(args[0], args[1], args[2]);
	if (policy < 0)
		return policy;
	current_thread()->policy = (unsigned)policy;
	return 0;
}

/* mbind(start, length, mode, *mask, max, flags) */
long sys_mbind(const unsigned long args[6])
{
	unsigned long flags = args[5];
	int policy = get_policy(args[2], args[3], args[4]);
	if (policy == -EFAULT)
		return policy;
	if ((flags & ~(unsigned long)(MPOL_STRICT | MPOL_MOVE | MPOL_MOVE_ALL)) || (args[0] & PAGE_MASK))
		return -EINVAL;
	if ((flags & MPOL_MOVE_ALL) && !capable(CAP_SYS_NICE))
		return -EPERM;
	vaddr_t end = args[0] + page_ceil(args[1]);
	if (end < args[0])
		return -EINVAL;
	if (end == args[0] || policy < 0)
		return policy < 0 ? policy : 0;
	return vm_set_policy(current->space, args[0], end, (unsigned)policy);
}

/* The mask that says node 0, or none, in as many bits as the user has room for. */
static int put_nodes(vaddr_t to, unsigned long max, uint64_t mask)
{
	size_t words = (max - 1 + WORD_BITS - 1) / WORD_BITS;
	if (words * sizeof mask > PAGE_SIZE)
		return -EINVAL;
	for (size_t i = 0; i < words; i++, mask = 0)
		if (user_put(to + i * sizeof mask, mask))
			return -EFAULT;
	return 0;
}

/* What get_mempolicy says of the policy, or of the node of the page; -EINVAL, -EFAULT. */
static int find_policy(vaddr_t at, unsigned long flags, unsigned *mode, bool *nodes)
{
	struct thread *t = current_thread();
	if (flags & MPOL_ALLOWED) {
		*mode = 0;
		*nodes = true;
		return flags & (MPOL_NODE | MPOL_ADDR) ? -EINVAL : 0;
	}
	if (!(flags & MPOL_ADDR) && at)
		return -EINVAL;
	int policy = flags & MPOL_ADDR ? vm_policy(current->space, at) : (int)t->policy;
	if (policy < 0)
		return policy;
	*nodes = has_nodes(mode_of((unsigned)policy));
	*mode = mode_of((unsigned)policy) | ((unsigned)policy & ~7u) << FLAGS_SHIFT;
	if (!(flags & MPOL_NODE))
		return 0;
	*mode = 0;				/* the number of the node */
	if (flags & MPOL_ADDR)
		return vm_touch(current->space, page_floor(at), page_floor(at) + PAGE_SIZE, FAULT_READ, &t->faults) ? -EFAULT : 0;
	return mode_of((unsigned)policy) == MPOL_INTERLEAVE ? 0 : -EINVAL;
}

/* get_mempolicy(*mode, *mask, max, address, flags) */
long sys_get_mempolicy(const unsigned long args[6])
{
	unsigned mode;
	bool nodes;
	if (args[1] && args[2] < 1)
		return -EINVAL;
	if (args[4] & ~(unsigned long)(MPOL_NODE | MPOL_ADDR | MPOL_ALLOWED))
		return -EINVAL;
	int error = find_policy(args[3], args[4], &mode, &nodes);
	if (error)
		return error;
	if (args[0] && user_put(args[0], mode))
		return -EFAULT;
	return args[1] ? put_nodes(args[1], args[2], nodes) : 0;
}
