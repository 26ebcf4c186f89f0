/*
 * kernel/sys_prctl.c - prctl(2): settings of a process or thread that have no call of their own.  Those about capabilities are in capability.c.
 */
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"
#include "lib/string.h"

enum prctl_option {
	PR_SET_PDEATHSIG = 1, PR_GET_PDEATHSIG = 2, PR_GET_DUMPABLE = 3, PR_SET_DUMPABLE = 4, PR_GET_KEEPCAPS = 7, PR_SET_KEEPCAPS = 8,
	PR_GET_TIMING = 13, PR_SET_TIMING = 14, PR_SET_NAME = 15, PR_GET_NAME = 16, PR_GET_SECCOMP = 21, PR_CAPBSET_READ = 23, PR_CAPBSET_DROP = 24,
	PR_GET_TSC = 25, PR_SET_TSC = 26, PR_GET_SECUREBITS = 27, PR_SET_SECUREBITS = 28, PR_SET_TIMERSLACK = 29, PR_GET_TIMERSLACK = 30,
	PR_SET_MM = 35, PR_SET_CHILD_SUBREAPER = 36, PR_GET_CHILD_SUBREAPER = 37, PR_SET_NO_NEW_PRIVS = 38, PR_GET_NO_NEW_PRIVS = 39, PR_GET_TID_ADDRESS = 40,
	PR_SET_THP_DISABLE = 41, PR_GET_THP_DISABLE = 42, PR_CAP_AMBIENT = 47,
};
enum { TSC_ENABLE = 1, TSC_SIGSEGV = 2, TIMING_STATISTICAL = 0, MM_MAP_SIZE = 15 };

static long set_name(vaddr_t from)
{
	char name[NAME_BYTES] = "";
	ssize length = user_string(name, from, sizeof name);
	if (length == -EFAULT)
		return -EFAULT;
	name[sizeof name - 1] = '\0';
	mutex_lock(&tree_lock);
	memcpy(thread_name(current_thread()), name, sizeof name);
	mutex_unlock(&tree_lock);
	return 0;
}

static long set_huge_pages(struct space *s, bool none)
{
	write_lock(&s->lock);
	s->no_huge = none;
	write_unlock(&s->lock);
	return 0;
}

/* What Linux keeps of a program's layout can be told by a program that restores another; here only its size is answered. */
static long layout_call(const unsigned long args[6])
{
	struct { uint64_t places[11]; vaddr_t auxv; uint32_t auxv_size, exe_fd; } map;
	const uint32_t size = sizeof map;
	return args[1] == MM_MAP_SIZE && !args[4] ? user_put(args[2], size) : -EINVAL;
}

long sys_prctl(const unsigned long args[6])
{
	struct process *p = current;
	struct thread *t = current_thread();
	switch ((int)args[0]) {
	case PR_SET_PDEATHSIG:
		if (args[1] > SIGNALS)
			return -EINVAL;
		p->death_signal = (int)args[1];
		return 0;
	case PR_GET_PDEATHSIG:
		return user_put(args[1], p->death_signal);
	case PR_GET_DUMPABLE:
		return !p->undumpable;
	case PR_SET_DUMPABLE:
		if (args[1] > 1)
			return -EINVAL;
		p->undumpable = !args[1];
		return 0;
	case PR_GET_TIMING:
		return TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return args[1] == TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_SECCOMP:
		return 0;
	case PR_SET_NAME:
		return set_name(args[1]);
	case PR_GET_NAME:
		return user_copy_out(args[1], thread_name(t), NAME_BYTES) ? -EFAULT : 0;
	case PR_GET_KEEPCAPS: case PR_SET_KEEPCAPS: case PR_CAPBSET_READ: case PR_CAPBSET_DROP: case PR_GET_SECUREBITS: case PR_SET_SECUREBITS:
	case PR_CAP_AMBIENT:
		return capability_prctl((int)args[0], args + 1);
	case PR_GET_TSC: {
		const int32_t state = arch_tsc_allowed() ? TSC_ENABLE : TSC_SIGSEGV;
		return user_put(args[1], state);
	}
	case PR_SET_TSC:
		if (args[1] != TSC_ENABLE && args[1] != TSC_SIGSEGV)
			return -EINVAL;
		arch_tsc_allow(args[1] == TSC_ENABLE);
		return 0;
	case PR_SET_TIMERSLACK:
		t->timer_slack_ns = args[1] && (long)args[1] > 0 ? args[1] : t->first_slack_ns;
		return 0;
	case PR_GET_TIMERSLACK:
		return t->timer_slack_ns > INT64_MAX ? INT64_MAX : (long)t->timer_slack_ns;
	case PR_SET_MM:
		return layout_call(args);
	case PR_SET_CHILD_SUBREAPER:
		p->subreaper = args[1] != 0;
		return 0;
	case PR_GET_CHILD_SUBREAPER: {
		const int32_t is_one = p->subreaper;
		return user_put(args[1], is_one);
	}
	case PR_SET_NO_NEW_PRIVS:
		if (args[1] != 1 || args[2] || args[3] || args[4])
			return -EINVAL;
		p->no_new_privileges = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return args[1] || args[2] || args[3] || args[4] ? -EINVAL : p->no_new_privileges;
	case PR_GET_TID_ADDRESS:
		return user_put(args[1], t->clear_child_tid);
	case PR_SET_THP_DISABLE:
		return args[2] || args[3] || args[4] ? -EINVAL : set_huge_pages(p->space, args[1] != 0);
	case PR_GET_THP_DISABLE:
		return args[1] || args[2] || args[3] || args[4] ? -EINVAL : p->space->no_huge;
	default:
		return -EINVAL;
	}
}
