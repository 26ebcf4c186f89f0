/*
 * kernel/tty_ioctl.c - modes, window size and job control of the terminal.
 *
 * Job control: a terminal belongs to one session; one group of that session is in the foreground.  Others that read get SIGTTIN; others
 * that change it (or write, if TOSTOP is set) get SIGTTOU.  Who does not heed the signal, or could not be continued because its group is
 * orphaned, gets EIO instead, or may go on where it only writes.
 *
 * Locks: tree_lock for whose terminal it is, tty->lock for the modes; never both.
 */
#include "arch/uaccess.h"
#include "kernel/sched.h"
#include "kernel/tty.h"
#include "lib/string.h"

/* Stops the caller's group by `signo` unless it is in the foreground; `unheeded`: what to answer when it would not notice. */
static int check_foreground(struct tty *t, int signo, int unheeded)
{
	struct process *me = current;
	int result = 0;

	mutex_lock(&tree_lock);
	pid_type group = me->pgid;
	if (me->tty == t && t->foreground && group != t->foreground) {
		if (signal_unheeded(signo))
			result = unheeded;
		else
			result = signal_group_orphaned(group, NULL) ? -EIO : -EINTR;
	}
	mutex_unlock(&tree_lock);
	if (result == -EINTR)
		signal_send_group(group, signo, NULL);
	return result;
}

int tty_check_change(struct tty *t) { return check_foreground(t, SIGTTOU, 0); }
int tty_check_read(struct tty *t) { return check_foreground(t, SIGTTIN, -EIO); }

/* tree_lock held. */
static void take_terminal(struct tty *t, struct process *leader)
{
	t->session = leader->sid;
	t->foreground = leader->pgid;
	leader->tty = t;
}

void tty_adopt(struct tty *t)
{
	struct process *me = current;
	mutex_lock(&tree_lock);
	if (me->sid == me->pid && !me->tty && !t->session)
		take_terminal(t, me);
	mutex_unlock(&tree_lock);
}

/* TIOCSCTTY; root may take it away from another session by arg 1. */
static long set_controlling(struct tty *t, unsigned long arg)
{
	struct process *me = current;
	long result = 0;

	mutex_lock(&tree_lock);
	if (me->sid == me->pid && t->session == me->sid) {
		/* it is ours already */
	} else if (me->sid != me->pid || me->tty || (t->session && (arg != 1 || me->euid != 0))) {
		result = -EPERM;
	} else {
		list_for_each(l, &process_list) {
			struct process *p = container_of(l, struct process, all);
			if (p->tty == t)
				p->tty = NULL;
		}
		take_terminal(t, me);
	}
	mutex_unlock(&tree_lock);
	return result;
}

static long give_up_controlling(struct tty *t)
{
	struct process *me = current;
	if (me->tty != t)
		return -ENOTTY;
	if (me->sid == me->pid) {
		tty_session_ends(me);
		return 0;
	}
	mutex_lock(&tree_lock);
	me->tty = NULL;
	mutex_unlock(&tree_lock);
	return 0;
}

static bool group_in_session(pid_type group, pid_type session)
{
	list_for_each(l, &process_list) {
		const struct process *p = container_of(l, struct process, all);
		if (p->pgid == group)
			return p->sid == session;
	}
	return false;
}

static long set_foreground(struct tty *t, vaddr_t arg)
{
	struct process *me = current;
	int32_t group;

	long result = tty_check_change(t);
	if (result)
		return result;
	if (user_get(group, arg))
		return -EFAULT;
	if (group < 0)
		return -EINVAL;
	mutex_lock(&tree_lock);
	if (me->tty != t || t->session != me->sid)
		result = -ENOTTY;
	else if (!process_group_exists(group))
		result = -ESRCH;
	else if (!group_in_session(group, me->sid))
		result = -EPERM;
	else
		t->foreground = group;
	mutex_unlock(&tree_lock);
	return result;
}

enum job_id { JOB_FOREGROUND, JOB_SESSION };

static long get_job_id(struct tty *t, enum job_id which, vaddr_t to)
{
	mutex_lock(&tree_lock);
	bool ours = current->tty == t;
	int32_t id = which == JOB_SESSION ? t->session : t->foreground;
	mutex_unlock(&tree_lock);
	return ours ? user_put(to, id) : -ENOTTY;
}

static long get_modes(struct tty *t, vaddr_t to, size_t size)
{
	mutex_lock(&t->lock);
	struct termios2 modes = t->modes;
	mutex_unlock(&t->lock);
	return user_copy_out(to, &modes, size) ? -EFAULT : 0;
}

enum flush_first { KEEP_INPUT, FLUSH_INPUT };

/* Output is never pending, so TCSETSW has nothing to wait for. */
static long set_modes(struct tty *t, vaddr_t from, size_t size, enum flush_first flush)
{
	struct termios2 modes;
	long error = tty_check_change(t);
	if (error)
		return error;
	mutex_lock(&t->lock);
	modes = t->modes;
	mutex_unlock(&t->lock);
	if (user_copy_in(&modes, from, size))
		return -EFAULT;
	mutex_lock(&t->lock);
	if (flush == FLUSH_INPUT)
		tty_flush_input(t);
	tty_set_modes(t, &modes);
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	tty_want_input();
	return 0;
}

static long get_size(struct tty *t, vaddr_t to)
{
	mutex_lock(&t->lock);
	struct winsize size = t->size;
	mutex_unlock(&t->lock);
	return user_put(to, size);
}

static long set_size(struct tty *t, vaddr_t from)
{
	struct winsize size;
	if (user_get(size, from))
		return -EFAULT;
	mutex_lock(&t->lock);
	bool changed = memcmp(&size, &t->size, sizeof size) != 0;
	t->size = size;
	mutex_unlock(&t->lock);
	mutex_lock(&tree_lock);
	pid_type group = t->foreground;
	mutex_unlock(&tree_lock);
	if (changed && group)
		signal_send_group(group, SIGWINCH, NULL);
	return 0;
}

static long flush(struct tty *t, unsigned long what)
{
	long error = tty_check_change(t);
	if (error)
		return error;
	if (what > TCIOFLUSH)
		return -EINVAL;
	if (what != TCOFLUSH) {
		mutex_lock(&t->lock);
		tty_flush_input(t);
		mutex_unlock(&t->lock);
		tty_want_input();
	}
	return 0;
}

/* tcflow: our output stops or goes on, or the other side is told to stop or go on. */
static long flow(struct tty *t, unsigned long what)
{
	long error = tty_check_change(t);
	if (error)
		return error;
	if (what > TCION)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (what == TCOOFF || what == TCOON) {
		t->output_stopped = what == TCOOFF;
	} else {
		char c = (char)t->modes.cc[what == TCIOFF ? VSTOP : VSTART];
		if (c)
			tty_output(t, &c, 1);
	}
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	return 0;
}

static long get_available(struct tty *t, vaddr_t to)
{
	mutex_lock(&t->lock);
	int32_t n = (int32_t)tty_available(t);
	mutex_unlock(&t->lock);
	return user_put(to, n);
}

static long put_int(vaddr_t to, int32_t value)
{
	return user_put(to, value);
}

long tty_ioctl(struct file *f, unsigned command, unsigned long arg)
{
	struct tty *t = tty_of(f);

	switch (command) {
	case TCGETS:
		return get_modes(t, arg, TERMIOS_SIZE);
	case (unsigned)TCGETS2:
		return get_modes(t, arg, sizeof(struct termios2));
	case TCSETS: case TCSETSW:
		return set_modes(t, arg, TERMIOS_SIZE, KEEP_INPUT);
	case TCSETSF:
		return set_modes(t, arg, TERMIOS_SIZE, FLUSH_INPUT);
	case TCSETS2: case TCSETSW2:
		return set_modes(t, arg, sizeof(struct termios2), KEEP_INPUT);
	case TCSETSF2:
		return set_modes(t, arg, sizeof(struct termios2), FLUSH_INPUT);
	case TIOCGWINSZ:
		return get_size(t, arg);
	case TIOCSWINSZ:
		return set_size(t, arg);
	case TIOCGPGRP:
		return get_job_id(t, JOB_FOREGROUND, arg);
	case TIOCSPGRP:
		return set_foreground(t, arg);
	case TIOCGSID:
		return get_job_id(t, JOB_SESSION, arg);
	case TIOCSCTTY:
		return set_controlling(t, arg);
	case TIOCNOTTY:
		return give_up_controlling(t);
	case FIONREAD:
		return get_available(t, arg);
	case TIOCOUTQ: case TIOCGETD:
		return put_int(arg, 0);
	case TCFLSH:
		return flush(t, arg);
	case TCXONC:
		return flow(t, arg);
	case TCSBRK: case TCSBRKP:
		return tty_check_change(t);
	case TIOCEXCL: case TIOCNXCL:
		return 0;
	default:
		return -ENOTTY;
	}
}
