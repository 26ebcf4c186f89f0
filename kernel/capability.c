/*
 * kernel/capability.c - capabilities of a process: how they change with its user numbers and with execve; capget, capset, and prctl's part.
 *
 * The rules are those of capabilities(7), for files without capabilities of their own.
 */
#include "kernel/capability.h"
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"

enum { CAPABILITY_V1 = 0x19980330, CAPABILITY_V2 = 0x20071026, CAPABILITY_V3 = 0x20080522, USER_ROOT = 0 };

static uint64_t bit(unsigned long which) { return (uint64_t)1 << which; }

bool capable(enum capability which)
{
	return current->capabilities.effective & bit(which);
}

void capabilities_init(struct capabilities *c)
{
	*c = (struct capabilities){ 0, CAPABILITIES_ALL, CAPABILITIES_ALL, CAPABILITIES_ALL, 0, 0 };
}

void capabilities_follow(struct process *p, const struct user_numbers *before)
{
	struct capabilities *c = &p->capabilities;
	bool was_root = !before->real || !before->effective || !before->saved, is_root = !p->uid || !p->euid || !p->suid;
	if (c->secure & SECURE_NO_SETUID_FIXUP)
		return;
	if (was_root && !is_root) {
		if (!(c->secure & SECURE_KEEP_CAPS))
			c->permitted = c->effective = 0;
		c->ambient = 0;
	}
	if (before->effective == USER_ROOT && p->euid != USER_ROOT)
		c->effective = 0;
	else if (before->effective != USER_ROOT && p->euid == USER_ROOT)
		c->effective = c->permitted;
}

void capabilities_exec(struct process *p, bool gained)
{
	struct capabilities *c = &p->capabilities;
	const uint64_t before = c->permitted;
	bool root = !(c->secure & SECURE_NOROOT);
	if (gained)
		c->ambient = 0;
	c->permitted = root && (p->uid == USER_ROOT || p->euid == USER_ROOT) ? c->bounding | c->inheritable : 0;
	if (p->no_new_privileges)
		c->permitted &= before;
	c->permitted |= c->ambient;
	c->effective = root && p->euid == USER_ROOT ? c->permitted : c->ambient;
	c->secure &= ~(unsigned)SECURE_KEEP_CAPS;
}

/* ---- capget and capset ------------------------------------------------------------------- */

struct header { uint32_t version; int32_t pid; };
struct half { uint32_t effective, permitted, inheritable; };

/* How many halves the version has; -EINVAL: it is none, and the header now names the one that is preferred. */
static int halves(vaddr_t at, struct header *h)
{
	const uint32_t preferred = CAPABILITY_V3;
	if (user_get(*h, at))
		return -EFAULT;
	if (h->version == CAPABILITY_V1)
		return 1;
	if (h->version == CAPABILITY_V2 || h->version == CAPABILITY_V3)
		return 2;
	return user_put(at, preferred) ? -EFAULT : -EINVAL;
}

/* capget(*header, *data) */
long sys_capget(const unsigned long args[6])
{
	struct header h;
	int n = halves(args[0], &h);
	if (n < 0)
		return n == -EINVAL && !args[1] ? 0 : n;
	if (h.pid < 0)
		return -EINVAL;
	mutex_lock(&tree_lock);
	const struct process *p = h.pid ? process_of(h.pid) : current;
	struct capabilities c = p ? p->capabilities : (struct capabilities){ .secure = 0 };
	mutex_unlock(&tree_lock);
	if (!p)
		return -ESRCH;
	if (!args[1])
		return 0;
	const struct half all[2] = { { (uint32_t)c.effective, (uint32_t)c.permitted, (uint32_t)c.inheritable },
		{ (uint32_t)(c.effective >> 32), (uint32_t)(c.permitted >> 32), (uint32_t)(c.inheritable >> 32) } };
	return user_copy_out(args[1], all, (size_t)n * sizeof all[0]) ? -EFAULT : 0;
}

/* tree_lock held. */
static long set_capabilities(struct capabilities *c, uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	if (!capable(CAP_SETPCAP) && inheritable & ~(c->inheritable | c->permitted))
		return -EPERM;
	if (inheritable & ~(c->inheritable | c->bounding) || permitted & ~c->permitted || effective & ~permitted)
		return -EPERM;
	c->effective = effective;
	c->permitted = permitted;
	c->inheritable = inheritable;
	c->ambient &= permitted & inheritable;
	return 0;
}

static uint64_t whole(uint32_t low, uint32_t high) { return (low | (uint64_t)high << 32) & CAPABILITIES_ALL; }

/* capset(*header, *data): one's own alone. */
long sys_capset(const unsigned long args[6])
{
	struct header h;
	struct half d[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	int n = halves(args[0], &h);
	if (n < 0)
		return n;
	if (h.pid && h.pid != current_thread()->tid)
		return -EPERM;
	if (user_copy_in(d, args[1], (size_t)n * sizeof d[0]))
		return -EFAULT;
	mutex_lock(&tree_lock);
	long result = set_capabilities(&current->capabilities, whole(d[0].effective, d[1].effective), whole(d[0].permitted, d[1].permitted),
		whole(d[0].inheritable, d[1].inheritable));
	mutex_unlock(&tree_lock);
	return result;
}

/* ---- prctl --------------------------------------------------------------------------------- */

enum { PR_GET_KEEPCAPS = 7, PR_SET_KEEPCAPS = 8, PR_CAPBSET_READ = 23, PR_CAPBSET_DROP = 24, PR_GET_SECUREBITS = 27, PR_SET_SECUREBITS = 28, PR_CAP_AMBIENT = 47 };
enum { AMBIENT_IS_SET = 1, AMBIENT_RAISE, AMBIENT_LOWER, AMBIENT_CLEAR_ALL };

static long set_secure_bits(struct capabilities *c, unsigned long new)
{
	const unsigned long old = c->secure, locked = (old & SECURE_LOCKS) >> 1;
	if (((old ^ new) & locked) || (old & SECURE_LOCKS & ~new) || (new & ~(unsigned long)(SECURE_BITS | SECURE_LOCKS)) || !capable(CAP_SETPCAP))
		return -EPERM;
	c->secure = (unsigned)new;
	return 0;
}

static long change_ambient(struct capabilities *c, unsigned long how, unsigned long which)
{
	if (how == AMBIENT_CLEAR_ALL) {
		if (which)
			return -EINVAL;
		c->ambient = 0;
		return 0;
	}
	if (which > CAP_LAST)
		return -EINVAL;
	switch (how) {
	case AMBIENT_IS_SET:
		return c->ambient >> which & 1;
	case AMBIENT_RAISE:
		if (!(c->permitted & c->inheritable & bit(which)) || c->secure & SECURE_NO_AMBIENT_RAISE)
			return -EPERM;
		c->ambient |= bit(which);
		return 0;
	case AMBIENT_LOWER:
		c->ambient &= ~bit(which);
		return 0;
	default:
		return -EINVAL;
	}
}

/* tree_lock held. */
static long change(struct capabilities *c, int option, const unsigned long args[4])
{
	switch (option) {
	case PR_SET_KEEPCAPS:
		if (args[0] > 1)
			return -EINVAL;
		if (c->secure & SECURE_KEEP_CAPS_LOCKED)
			return -EPERM;
		c->secure = (c->secure & ~(unsigned)SECURE_KEEP_CAPS) | (args[0] ? SECURE_KEEP_CAPS : 0);
		return 0;
	case PR_CAPBSET_DROP:
		if (!capable(CAP_SETPCAP))
			return -EPERM;
		if (args[0] > CAP_LAST)
			return -EINVAL;
		c->bounding &= ~bit(args[0]);
		return 0;
	case PR_SET_SECUREBITS:
		return set_secure_bits(c, args[0]);
	default:
		return args[2] || args[3] ? -EINVAL : change_ambient(c, args[0], args[1]);
	}
}

long capability_prctl(int option, const unsigned long args[4])
{
	struct capabilities *c = &current->capabilities;
	switch (option) {
	case PR_GET_KEEPCAPS:
		return (c->secure & SECURE_KEEP_CAPS) != 0;
	case PR_GET_SECUREBITS:
		return c->secure;
	case PR_CAPBSET_READ:
		return args[0] > CAP_LAST ? -EINVAL : (long)(c->bounding >> args[0] & 1);
	default:
		break;
	}
	mutex_lock(&tree_lock);
	long result = change(c, option, args);
	mutex_unlock(&tree_lock);
	return result;
}
