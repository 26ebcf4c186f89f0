/*
 * kernel/sys_identity.c - user and group numbers of a process.
 *
 * Who has CAP_SETUID or CAP_SETGID (as root has) may take any; others may take what they are, were or saved.  The effective ones decide about files
 * (process->fs).  They are those of all threads: see process.h.  Protected by: written under tree_lock; single words are read without.
 */
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"

#define UNCHANGED ((uint32_t)-1)

/* Users and groups follow the same rules. */
struct identity { uint32_t *real, *effective, *saved, *file; enum capability change; };

static struct identity user_of(struct process *p)  { return (struct identity){ &p->uid, &p->euid, &p->suid, &p->fs.uid, CAP_SETUID }; }
static struct identity group_of(struct process *p) { return (struct identity){ &p->gid, &p->egid, &p->sgid, &p->fs.gid, CAP_SETGID }; }

static bool may_take(const struct identity *i, uint32_t id)
{
	return capable(i->change) || id == UNCHANGED || id == *i->real || id == *i->effective || id == *i->saved;
}

static void set(const struct identity *i, uint32_t real, uint32_t effective, uint32_t saved)
{
	struct process *p = current;
	const struct user_numbers before = { p->uid, p->euid, p->suid };

	if (effective != UNCHANGED && effective != *i->effective) {
		p->undumpable = true;
		p->death_signal = 0;
	}
	if (real != UNCHANGED)
		*i->real = real;
	if (effective != UNCHANGED)
		*i->effective = effective;
	if (saved != UNCHANGED)
		*i->saved = saved;
	*i->file = *i->effective;
	if (i->change == CAP_SETUID)
		capabilities_follow(p, &before);
}

static long set_one_locked(struct identity i, uint32_t id)
{
	if (id == UNCHANGED)
		return -EINVAL;
	if (capable(i.change))
		set(&i, id, id, id);
	else if (id == *i.real || id == *i.saved)
		set(&i, UNCHANGED, id, UNCHANGED);
	else
		return -EPERM;
	return 0;
}

static long set_pair_locked(struct identity i, uint32_t real, uint32_t effective)
{
	if (!capable(i.change) && real != UNCHANGED && real != *i.real && real != *i.effective)
		return -EPERM;
	if (!may_take(&i, effective))
		return -EPERM;
	bool saves = real != UNCHANGED || (effective != UNCHANGED && effective != *i.real);
	set(&i, real, effective, !saves ? UNCHANGED : effective != UNCHANGED ? effective : *i.effective);
	return 0;
}

static bool is_same(unsigned long id, uint32_t now) { return (uint32_t)id == UNCHANGED || (uint32_t)id == now; }

static long set_three_locked(struct identity i, const unsigned long args[6])
{
	if (!may_take(&i, (uint32_t)args[0]) || !may_take(&i, (uint32_t)args[1]) || !may_take(&i, (uint32_t)args[2]))
		return -EPERM;
	bool same = is_same(args[0], *i.real) && is_same(args[1], *i.effective) && is_same(args[1], *i.file) && is_same(args[2], *i.saved);
	if (!same)
		set(&i, (uint32_t)args[0], (uint32_t)args[1], (uint32_t)args[2]);
	return 0;
}

static long set_one(struct identity i, uint32_t id)
{
	mutex_lock(&tree_lock);
	long result = set_one_locked(i, id);
	mutex_unlock(&tree_lock);
	return result;
}

static long set_pair(struct identity i, uint32_t real, uint32_t effective)
{
	mutex_lock(&tree_lock);
	long result = set_pair_locked(i, real, effective);
	mutex_unlock(&tree_lock);
	return result;
}

static long set_three(struct identity i, const unsigned long args[6])
{
	mutex_lock(&tree_lock);
	long result = set_three_locked(i, args);
	mutex_unlock(&tree_lock);
	return result;
}

static long get_three(struct identity i, const unsigned long args[6])
{
	return user_put(args[0], *i.real) || user_put(args[1], *i.effective) || user_put(args[2], *i.saved) ? -EFAULT : 0;
}

/* Answers with the old number, whether it was changed or not. */
static long set_file_identity(struct identity i, uint32_t id)
{
	uint32_t before = *i.file;
	if (id == before || may_take(&i, id))
		*i.file = id == UNCHANGED ? before : id;
	return before;
}

long sys_getuid(const unsigned long args[6])  { (void)args; return current->uid; }
long sys_geteuid(const unsigned long args[6]) { (void)args; return current->euid; }
long sys_getgid(const unsigned long args[6])  { (void)args; return current->gid; }
long sys_getegid(const unsigned long args[6]) { (void)args; return current->egid; }
long sys_setuid(const unsigned long args[6])  { return set_one(user_of(current), (uint32_t)args[0]); }
long sys_setgid(const unsigned long args[6])  { return set_one(group_of(current), (uint32_t)args[0]); }
long sys_setreuid(const unsigned long args[6])  { return set_pair(user_of(current), (uint32_t)args[0], (uint32_t)args[1]); }
long sys_setregid(const unsigned long args[6])  { return set_pair(group_of(current), (uint32_t)args[0], (uint32_t)args[1]); }
long sys_setresuid(const unsigned long args[6]) { return set_three(user_of(current), args); }
long sys_setresgid(const unsigned long args[6]) { return set_three(group_of(current), args); }
long sys_getresuid(const unsigned long args[6]) { return get_three(user_of(current), args); }
long sys_getresgid(const unsigned long args[6]) { return get_three(group_of(current), args); }
long sys_setfsuid(const unsigned long args[6])  { return set_file_identity(user_of(current), (uint32_t)args[0]); }
long sys_setfsgid(const unsigned long args[6])  { return set_file_identity(group_of(current), (uint32_t)args[0]); }

enum { GROUPS_MAX = 65536 };

/* getgroups(size, *list) */
long sys_getgroups(const unsigned long args[6])
{
	int size = (int)args[0];
	struct group_list *list = fs_context_groups(&current->fs);
	long n = list ? (long)list->n : 0;

	if (size < 0 || (size && size < n))
		n = -EINVAL;
	else if (size && n && user_copy_out(args[1], list->id, (size_t)n * sizeof list->id[0]))
		n = -EFAULT;
	group_list_put(list);
	return n;
}

long sys_setgroups(const unsigned long args[6])
{
	size_t n = (uint32_t)args[0];

	if (!capable(CAP_SETGID))
		return -EPERM;
	if (n > GROUPS_MAX)
		return -EINVAL;
	struct group_list *list = group_list_create(n);
	if (!list)
		return -ENOMEM;
	if (user_copy_in(list->id, args[1], n * sizeof list->id[0])) {
		group_list_put(list);
		return -EFAULT;
	}
	group_list_sort(list);
	fs_context_set_groups(&current->fs, list);
	return 0;
}
