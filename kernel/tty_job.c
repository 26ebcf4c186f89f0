/*
 * kernel/tty_job.c - whose terminal it is, and who is in the foreground.
 *
 * Job control: a terminal belongs to one session; one group of that session is in the foreground.  Others that read get SIGTTIN; others
 * that change it (or write, if TOSTOP is set) get SIGTTOU.  Who does not heed the signal, or could not be continued because its group is
 * orphaned, gets EIO instead, or may go on where it only writes.
 *
 * The session's end: its leader exits, or gives the terminal up, or the terminal hangs up because nobody is on the other side any more.  All that are told are told with
 * tree_lock held, so that none is missed.  A terminal without a session may be let go of by others at once: what is done to it afterwards needs a reference.
 *
 * Lock: tree_lock.
 */
#include "arch/uaccess.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "kernel/tty.h"

static struct tty *tty_ref(struct tty *t)
{
	__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

/* ---- the foreground ------------------------------------------------------------------- */

/* tree_lock held. */
static void signal_group(pid_type group, int signo)
{
	list_for_each(l, &process_list) {
		struct process *p = container_of(l, struct process, all);
		if (group && p->pgid == group && p->state == PROCESS_ALIVE)
			signal_send_process(p, signo, NULL);
	}
}

void tty_signal_foreground(struct tty *t, int signo)
{
	mutex_lock(&tree_lock);
	signal_group(t->foreground, signo);
	mutex_unlock(&tree_lock);
}

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
	if (result == -EINTR)
		signal_group(group, signo);
	mutex_unlock(&tree_lock);
	return result;
}

int tty_check_change(struct tty *t) { return check_foreground(t, SIGTTOU, 0); }
int tty_check_read(struct tty *t) { return check_foreground(t, SIGTTIN, -EIO); }

static const struct process *member_of(pid_type group)
{
	list_for_each(l, &process_list) {
		const struct process *p = container_of(l, struct process, all);
		if (p->pgid == group)
			return p;
	}
	return NULL;
}

long tty_set_foreground(struct tty *t, vaddr_t from)
{
	struct process *me = current;
	int32_t group;

	long result = tty_check_change(t);
	if (result)
		return result == -EIO ? -ENOTTY : result;
	mutex_lock(&tree_lock);
	if (me->tty != t || t->session != me->sid)
		result = -ENOTTY;
	mutex_unlock(&tree_lock);
	if (!result)
		result = user_get(group, from);
	if (!result && group < 0)
		result = -EINVAL;
	if (result)
		return result;
	mutex_lock(&tree_lock);
	const struct process *member = member_of(group);
	if (!member)
		result = -ESRCH;
	else if (member->sid != me->sid)
		result = -EPERM;
	else if (t->session == me->sid)
		t->foreground = group;
	mutex_unlock(&tree_lock);
	return result;
}

long tty_get_id(struct tty *t, enum tty_side side, enum tty_id which, vaddr_t to)
{
	mutex_lock(&tree_lock);
	bool known = side == TTY_MASTER || current->tty == t;
	if (which == TTY_SESSION && !t->session)
		known = false;
	int32_t id = which == TTY_SESSION ? t->session : t->foreground;
	mutex_unlock(&tree_lock);
	return known ? user_put(to, id) : -ENOTTY;
}

/* ---- whose terminal it is --------------------------------------------------------------- */

/* tree_lock held, as for the next two. */
static void take_terminal(struct tty *t, struct process *leader)
{
	t->session = leader->sid;
	t->foreground = leader->pgid;
	leader->tty = t;
}

/* No process has it as its own any more. */
static void take_from_all(const struct tty *t)
{
	list_for_each(l, &process_list) {
		struct process *p = container_of(l, struct process, all);
		if (p->tty == t)
			p->tty = NULL;
	}
}

static void lose_session(struct tty *t)
{
	take_from_all(t);
	t->session = t->foreground = 0;
}

struct tty *tty_controlling(void)
{
	mutex_lock(&tree_lock);
	struct tty *t = current->tty ? tty_ref(current->tty) : NULL;
	mutex_unlock(&tree_lock);
	return t;
}

void tty_adopt(struct file *f, struct tty *t)
{
	struct process *me = current;
	if (f->flags & OPEN_NO_CTTY || !file_readable(f))
		return;
	mutex_lock(&tree_lock);
	if (me->sid == me->pid && !me->tty && !t->session && !tty_hung_up(f))
		take_terminal(t, me);
	mutex_unlock(&tree_lock);
}

/* Root may take it away from another session by arg 1. */
long tty_set_controlling(struct file *f, struct tty *t, unsigned long arg)
{
	struct process *me = current;
	long result = 0;

	mutex_lock(&tree_lock);
	if (me->sid == me->pid && t->session == me->sid) {
		/* it is ours already */
	} else if (me->sid != me->pid || me->tty || (t->session && (arg != 1 || !capable(CAP_SYS_ADMIN))) || (!file_readable(f) && !capable(CAP_SYS_ADMIN))) {
		result = -EPERM;
	} else if (tty_hung_up(f)) {
		result = -EIO;
	} else {
		take_from_all(t);
		take_terminal(t, me);
	}
	mutex_unlock(&tree_lock);
	return result;
}

long tty_give_up_controlling(struct tty *t)
{
	struct process *me = current;
	mutex_lock(&tree_lock);
	bool ours = me->tty == t, leads = me->sid == me->pid;
	if (ours && !leads)
		me->tty = NULL;
	mutex_unlock(&tree_lock);
	if (ours && leads)
		tty_session_ends(me, TTY_LEADER_GIVES_UP);
	return ours ? 0 : -ENOTTY;
}

/* ---- its end ---------------------------------------------------------------------------- */

void tty_hang_up(struct tty *t)
{
	mutex_lock(&tree_lock);
	struct process *leader = t->session ? process_find(t->session) : NULL;
	if (leader && leader->state == PROCESS_ALIVE) {
		leader->lost_foreground = t->foreground;
		signal_send_process(leader, SIGHUP, NULL);
		signal_send_process(leader, SIGCONT, NULL);
	}
	lose_session(t);
	t->hangups++;
	mutex_unlock(&tree_lock);
	wake_all(&t->changed);
}

void tty_session_ends(struct process *leader, enum tty_leave how)
{
	if (leader->sid != leader->pid)
		return;
	mutex_lock(&tree_lock);
	struct tty *t = leader->tty ? tty_ref(leader->tty) : NULL;
	if (t && t->session == leader->sid) {
		signal_group(t->foreground, SIGHUP);
		if (how == TTY_LEADER_GIVES_UP || t->driver->session_hangs_up)
			signal_group(t->foreground, SIGCONT);
		if (how == TTY_LEADER_EXITS && t->driver->session_hangs_up)
			t->hangups++;
		lose_session(t);
	} else if (!t && how == TTY_LEADER_EXITS && leader->lost_foreground) {
		signal_group(leader->lost_foreground, SIGHUP);
		signal_group(leader->lost_foreground, SIGCONT);
	}
	mutex_unlock(&tree_lock);
	if (t)
		wake_all(&t->changed);
	tty_put(t);
}

/* vhangup(): the terminal of the caller's session. */
long sys_vhangup(const unsigned long args[6])
{
	(void)args;
	if (!capable(CAP_SYS_TTY_CONFIG))
		return -EPERM;
	struct tty *t = tty_controlling();
	if (t)
		tty_hang_up(t);
	tty_put(t);
	return 0;
}
