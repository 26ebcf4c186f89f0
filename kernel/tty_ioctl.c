/*
 * kernel/tty_ioctl.c - modes, window size, and the other requests to a terminal; those about jobs are in tty_job.c.
 *
 * Lock: tty->lock for the modes.
 */
#include "arch/uaccess.h"
#include "kernel/sched.h"
#include "kernel/tty.h"
#include "lib/string.h"

enum { IBSHIFT = 16 };			/* where cflag has the speed of input, if that is another */

static bool is_ours(const struct tty *t)
{
	mutex_lock(&tree_lock);
	bool ours = current->tty == t;
	mutex_unlock(&tree_lock);
	return ours;
}

static long get_modes(struct tty *t, vaddr_t to, size_t size)
{
	mutex_lock(&t->lock);
	struct termios2 modes = t->modes;
	mutex_unlock(&t->lock);
	return user_copy_out(to, &modes, size) ? -EFAULT : 0;
}

enum flush_first { KEEP_INPUT, FLUSH_INPUT };

/* The speed that a cflag means; BOTHER: as given beside it. */
static uint32_t speed_of(uint32_t cflag, uint32_t given)
{
	static const uint32_t speeds[] = { 0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400 };
	static const uint32_t more[] = { 0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000,
		4000000 };
	uint32_t code = cflag & CBAUD & ~(uint32_t)BOTHER;

	return (cflag & CBAUD) == BOTHER ? given : cflag & BOTHER ? more[code] : speeds[code];
}

static long get_old_modes(struct tty *t, vaddr_t to)
{
	mutex_lock(&t->lock);
	const struct termios2 *m = &t->modes;
	struct termio old = { (uint16_t)m->iflag, (uint16_t)m->oflag, (uint16_t)m->cflag, (uint16_t)m->lflag, .line = m->line };
	memcpy(old.cc, m->cc, sizeof old.cc);
	mutex_unlock(&t->lock);
	return user_put(to, old);
}

static uint32_t with_low_half(uint32_t flags, uint16_t low) { return (flags & 0xffff0000u) | low; }

static int read_old_modes(struct termios2 *m, vaddr_t from)
{
	struct termio old;
	if (user_get(old, from))
		return -EFAULT;
	m->iflag = with_low_half(m->iflag, old.iflag);
	m->oflag = with_low_half(m->oflag, old.oflag);
	m->cflag = with_low_half(m->cflag, old.cflag);
	m->lflag = with_low_half(m->lflag, old.lflag);
	m->line = old.line;
	memcpy(m->cc, old.cc, sizeof old.cc);
	return 0;
}

static uint32_t choose_bits(uint32_t new, uint32_t old, uint32_t locked) { return (new & ~locked) | (old & locked); }

/* What is locked stays as it is.  t->lock is held. */
static void keep_locked(const struct tty *t, struct termios2 *m)
{
	const struct termios2 *old = &t->modes, *locked = &t->locked;

	m->iflag = choose_bits(m->iflag, old->iflag, locked->iflag);
	m->oflag = choose_bits(m->oflag, old->oflag, locked->oflag);
	m->cflag = choose_bits(m->cflag, old->cflag, locked->cflag);
	m->lflag = choose_bits(m->lflag, old->lflag, locked->lflag);
	if (locked->line)
		m->line = old->line;
	for (size_t i = 0; i < sizeof m->cc; i++)
		if (locked->cc[i])
			m->cc[i] = old->cc[i];
}

/* TIOCGLCKTRMIOS, TIOCSLCKTRMIOS */
static long get_locked(struct tty *t, vaddr_t to)
{
	mutex_lock(&t->lock);
	struct termios2 locked = t->locked;
	mutex_unlock(&t->lock);
	return user_copy_out(to, &locked, TERMIOS_SIZE) ? -EFAULT : 0;
}

static long set_locked(struct tty *t, vaddr_t from)
{
	struct termios2 locked = { 0 };

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (user_copy_in(&locked, from, TERMIOS_SIZE))
		return -EFAULT;
	mutex_lock(&t->lock);
	t->locked = locked;
	mutex_unlock(&t->lock);
	return 0;
}

/* Output is never pending that only time takes away, so TCSETSW has nothing to wait for.  size: of struct termios, struct termios2, or (0) struct termio. */
static long set_modes(struct tty *t, vaddr_t from, size_t size, enum flush_first flush)
{
	struct termios2 modes;
	mutex_lock(&t->lock);
	modes = t->modes;
	mutex_unlock(&t->lock);
	bool read = size ? !user_copy_in(&modes, from, size) : !read_old_modes(&modes, from);
	if (!read)
		return -EFAULT;
	uint32_t input = modes.cflag >> IBSHIFT;
	modes.ospeed = speed_of(modes.cflag, modes.ospeed);
	modes.ispeed = input & CBAUD ? speed_of(input, modes.ispeed) : modes.ospeed;
	mutex_lock(&t->lock);
	if (flush == FLUSH_INPUT)
		tty_flush_input(t);
	keep_locked(t, &modes);
	tty_set_modes(t, &modes);
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	tty_want_input(t);
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
	if (changed)
		tty_signal_foreground(t, SIGWINCH);
	return 0;
}

/* Output that has been taken has arrived: there is none to be thrown away. */
static long flush(struct tty *t, unsigned long what)
{
	if (what > TCIOFLUSH)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (what != TCOFLUSH)
		tty_flush_input(t);
	if (what != TCIFLUSH)
		tty_tell(t, TIOCPKT_FLUSHWRITE);
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	tty_want_input(t);
	return 0;
}

/* tcflow: our output stops or goes on, or the other side is told to stop or go on. */
static long flow(struct tty *t, unsigned long what)
{
	if (what > TCION)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (what == TCOOFF || what == TCOON) {
		tty_stop_output(t, what == TCOOFF);
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

/* One byte as if it had been typed. */
static long simulate_input(struct tty *t, vaddr_t from)
{
	uint8_t c;
	if (!is_ours(t) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (user_get(c, from))
		return -EFAULT;
	mutex_lock(&t->lock);
	tty_type(t, c);
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	return 0;
}

static long set_exclusive(struct tty *t, bool exclusive)
{
	mutex_lock(&t->lock);
	t->exclusive = exclusive;
	mutex_unlock(&t->lock);
	return 0;
}

/* There is one line discipline, number 0. */
static long set_discipline(vaddr_t from)
{
	int32_t number;
	return user_get(number, from) ? -EFAULT : number ? -EINVAL : 0;
}

static long hang_up(struct tty *t)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	tty_hang_up(t);
	return 0;
}

/* What a process in the background may not do without SIGTTOU. */
static bool is_change(unsigned command)
{
	switch (command) {
	case TCSETS: case TCSETSW: case TCSETSF: case TCSETS2: case TCSETSW2: case TCSETSF2: case TCSETA: case TCSETAW: case TCSETAF: case TCFLSH: case TCXONC: case TCSBRK: case TCSBRKP: case TIOCSETD:
		return true;
	default:
		return false;
	}
}

long tty_ioctl(struct file *f, struct tty *t, enum tty_side side, unsigned command, unsigned long arg)
{
	long error = is_change(command) && side == TTY_SLAVE ? tty_check_change(t) : 0;

	if (error)
		return error;
	switch (command) {
	case TCGETS:
		return get_modes(t, arg, TERMIOS_SIZE);
	case TCGETS2:
		return get_modes(t, arg, sizeof(struct termios2));
	case TCSETS: case TCSETSW:
		return set_modes(t, arg, TERMIOS_SIZE, KEEP_INPUT);
	case TCSETSF:
		return set_modes(t, arg, TERMIOS_SIZE, FLUSH_INPUT);
	case TCSETS2: case TCSETSW2:
		return set_modes(t, arg, sizeof(struct termios2), KEEP_INPUT);
	case TCSETSF2:
		return set_modes(t, arg, sizeof(struct termios2), FLUSH_INPUT);
	case TCGETA:
		return get_old_modes(t, arg);
	case TCSETA: case TCSETAW:
		return set_modes(t, arg, 0, KEEP_INPUT);
	case TCSETAF:
		return set_modes(t, arg, 0, FLUSH_INPUT);
	case TIOCGLCKTRMIOS:
		return get_locked(t, arg);
	case TIOCSLCKTRMIOS:
		return set_locked(t, arg);
	case TIOCGWINSZ:
		return get_size(t, arg);
	case TIOCSWINSZ:
		return set_size(t, arg);
	case TIOCGPGRP:
		return tty_get_id(t, side, TTY_FOREGROUND, arg);
	case TIOCSPGRP:
		return tty_set_foreground(t, arg);
	case TIOCGSID:
		return tty_get_id(t, side, TTY_SESSION, arg);
	case TIOCSCTTY:
		return tty_set_controlling(f, t, arg);
	case TIOCNOTTY:
		return tty_give_up_controlling(t);
	case TIOCVHANGUP:
		return hang_up(t);
	case TIOCSTI:
		return simulate_input(t, arg);
	case FIONREAD:
		return get_available(t, arg);
	case TIOCOUTQ: case TIOCGETD:
		return put_int(arg, 0);
	case TIOCSETD:
		return set_discipline(arg);
	case TIOCGDEV:
		return put_int(arg, (int32_t)t->device);
	case TCFLSH:
		return flush(t, arg);
	case TCXONC:
		return flow(t, arg);
	case TCSBRK: case TCSBRKP:
		return 0;
	case TIOCEXCL: case TIOCNXCL:
		return set_exclusive(t, command == TIOCEXCL);
	case TIOCGEXCL:
		return put_int(arg, t->exclusive);
	default:
		return -ENOTTY;
	}
}
