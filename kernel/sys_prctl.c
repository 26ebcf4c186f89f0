/*
 * kernel/sys_prctl.c - prctl(2): settings of a process or thread that have no call of their own.
 */
#include "kernel/process.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"
#include "lib/string.h"

enum prctl_option {
	PR_SET_PDEATHSIG = 1, PR_GET_PDEATHSIG = 2, PR_GET_DUMPABLE = 3, PR_SET_DUMPABLE = 4, PR_GET_KEEPCAPS = 7, PR_SET_KEEPCAPS = 8,
	PR_SET_NAME = 15, PR_GET_NAME = 16, PR_GET_SECCOMP = 21, PR_CAPBSET_READ = 23, PR_GET_TIMERSLACK = 30,
	PR_SET_NO_NEW_PRIVS = 38, PR_GET_NO_NEW_PRIVS = 39,
};
enum { LAST_CAPABILITY = 40, TIMER_SLACK_NS = 50000 };

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

long sys_prctl(const unsigned long args[6])
{
	struct process *p = current;
	switch ((int)args[0]) {
	case PR_SET_PDEATHSIG:
		if (args[1] > SIGNALS)
			return -EINVAL;
		p->death_signal = (int)args[1];
		return 0;
	case PR_GET_PDEATHSIG:
		return user_put(args[1], p->death_signal);
	case PR_GET_DUMPABLE:
		return 1;
	case PR_SET_DUMPABLE:
		return args[1] <= 1 ? 0 : -EINVAL;
	case PR_GET_KEEPCAPS:
	case PR_GET_SECCOMP:
		return 0;
	case PR_SET_NAME:
		return set_name(args[1]);
	case PR_GET_NAME:
		return user_copy_out(args[1], thread_name(current_thread()), NAME_BYTES) ? -EFAULT : 0;
	case PR_CAPBSET_READ:
		return args[1] <= LAST_CAPABILITY ? 1 : -EINVAL;
	case PR_GET_TIMERSLACK:
		return TIMER_SLACK_NS;
	case PR_SET_NO_NEW_PRIVS:
		if (args[1] != 1 || args[2] || args[3] || args[4])
			return -EINVAL;
		p->no_new_privileges = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return args[1] || args[2] || args[3] || args[4] ? -EINVAL : p->no_new_privileges;
	default:
		return -EINVAL;
	}
}
