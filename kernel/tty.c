/*
 * kernel/tty.c - a terminal's files: opening, reading, writing, readiness; see tty.h for the picture.
 *
 * A file remembers how often its terminal had been hung up when it was opened: file->pos.  Those from before the last time are dead: they read end-of-file and cannot be
 * written.  Those of /dev/console live on, as on Linux.
 */
#include "kernel/tty.h"
#include "arch/time.h"
#include "fs/dev.h"
#include "kernel/sched.h"
#include "vm/heap.h"

enum { CHUNK = 256, DECISECOND_NS = 100000000, MAJOR_TTY = 5, MINOR_TTY = 0 };
#define NEVER		(~(uint64_t)0)
#define NO_HANGUP	(~(uint64_t)0)		/* file->pos of a file that lives on */

static const struct termios2 first_modes = {
	.iflag = ICRNL | IXON, .oflag = OPOST | ONLCR, .cflag = B38400 | CS8 | CREAD,
	.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17, [VSTOP] = 19, [VSUSP] = 26,
		[VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22 },
	.ispeed = 38400, .ospeed = 38400,
};

void tty_init(struct tty *t, const struct tty_driver *driver, uint64_t device)
{
	t->driver = driver;
	t->device = device;
	t->refs = 1;
	t->modes = first_modes;
	mutex_init(&t->lock, "tty", RANK_PIPE);
	waitq_init(&t->changed);
}

void tty_put(struct tty *t)
{
	if (t && __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0)
		t->driver->free(t);
}

void tty_type(struct tty *t, uint8_t byte)
{
	int signo = tty_input(t, byte);

	if (!signo)
		return;
	mutex_unlock(&t->lock);
	tty_signal_foreground(t, signo);
	mutex_lock(&t->lock);
}

/* ---- reading and writing ------------------------------------------------------------ */

struct tty *tty_of(const struct file *f)
{
	return f->data;
}

bool tty_hung_up(const struct file *f)
{
	return f->pos != NO_HANGUP && f->pos != __atomic_load_n(&tty_of(f)->hangups, __ATOMIC_RELAXED);
}

static bool canonical(const struct tty *t) { return t->modes.lflag & ICANON; }

/* Bytes that must be there before a read of `asked` bytes returns. */
static size_t needed(const struct tty *t, size_t asked)
{
	size_t min = t->modes.cc[VMIN];
	if (canonical(t) || min == 0)
		return 1;
	return min < asked ? min : asked;
}

/*
 * Waits until a read of `asked` bytes can return; tty->lock is held, and dropped meanwhile.  0 (also with nothing there: VMIN 0, time is
 * up, hung up), -EAGAIN, -EINTR.  VTIME counts from the start if VMIN is 0, else from each byte.
 */
static int await_input(struct file *f, struct tty *t, size_t asked)
{
	uint64_t deadline = NEVER;
	size_t seen = 0;
	bool slept = false;
	int result;

	wait_prepare(&t->changed);
	for (;;) {
		size_t have = tty_available(t), min = t->modes.cc[VMIN];
		uint64_t time = (uint64_t)t->modes.cc[VTIME] * DECISECOND_NS;
		bool raw = !canonical(t);
		result = slept && t->gone && !have ? -EIO : 0;
		if (have >= needed(t, asked) || tty_hung_up(f) || (raw && min == 0 && time == 0))
			break;
		if (f->flags & OPEN_NONBLOCK) {
			result = have ? 0 : -EAGAIN;
			break;
		}
		if (raw && time && (min == 0 || have) && (deadline == NEVER || have != seen))
			deadline = time_now_ns() + time;
		seen = have;
		mutex_unlock(&t->lock);
		result = wait_sleep_until(&t->changed, WAIT_INTERRUPTIBLE, deadline);
		slept = true;
		mutex_lock(&t->lock);
		wait_prepare(&t->changed);
		if (result == -ETIMEDOUT || (result == -EINTR && raw && tty_available(t)))
			result = 0;
		else if (result == 0)
			continue;
		break;
	}
	wait_finish(&t->changed);
	return result;
}

/* tty->lock is held, and dropped before the copy to the user: the whole line has been taken then, and another reader gets none of it. */
static ssize read_available(struct tty *t, struct uio *uio)
{
	size_t room = uio->left < TTY_QUEUE ? uio->left : TTY_QUEUE;
	char few[CHUNK], *bytes = room > CHUNK ? kmalloc(room) : few;
	bool line_ended;

	size_t n = bytes ? tty_take(t, bytes, room, &line_ended) : 0, moved = 0;
	mutex_unlock(&t->lock);
	if (bytes)
		moved = uio_out(uio, bytes, n);
	if (bytes != few)
		kfree(bytes);
	return !bytes ? -ENOMEM : moved || !n ? (ssize)moved : -EFAULT;
}

ssize tty_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct tty *t = tty_of(f);
	(void)pos;

	if (tty_hung_up(f) || uio->left == 0)
		return 0;
	ssize result = tty_check_read(t);
	if (result)
		return result;
	mutex_lock(&t->lock);
	result = await_input(f, t, uio->left);
	if (result == 0)
		result = read_available(t, uio);
	else
		mutex_unlock(&t->lock);
	tty_want_input(t);
	return result;
}

/* Waits while output is stopped, or another is in the middle of a write; tty->lock is held, and dropped meanwhile. */
static int await_output(struct file *f, struct tty *t)
{
	int result = 0;
	wait_prepare(&t->changed);
	while ((t->output_stopped || tty_output_full(t) || (t->writer && t->writer != current_thread())) && !tty_hung_up(f)) {
		t->writer_awaited |= t->writer != NULL;
		if (f->flags & OPEN_NONBLOCK) {
			result = -EAGAIN;
			break;
		}
		mutex_unlock(&t->lock);
		result = wait_sleep(&t->changed, WAIT_INTERRUPTIBLE);
		mutex_lock(&t->lock);
		if (result)
			break;
		wait_prepare(&t->changed);
	}
	wait_finish(&t->changed);
	return result;
}

static void end_write(struct tty *t)
{
	mutex_lock(&t->lock);
	bool awaited = t->writer_awaited;
	t->writer = NULL;
	t->writer_awaited = false;
	mutex_unlock(&t->lock);
	if (awaited)
		wake_all(&t->changed);
}

/* All of it, unless an error comes before. */
static int write_chunk(struct file *f, struct tty *t, const char *bytes, size_t n, ssize *done)
{
	int error = 0;

	mutex_lock(&t->lock);
	while (n > 0 && !error) {
		error = await_output(f, t);
		if (!error && tty_hung_up(f))
			error = -EIO;
		if (error)
			break;
		t->writer = current_thread();
		size_t taken = tty_output(t, bytes, n);
		bytes += taken;
		n -= taken;
		*done += (ssize)taken;
	}
	mutex_unlock(&t->lock);
	return error;
}

/* What others write comes before or after it. */
ssize tty_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct tty *t = tty_of(f);
	char bytes[CHUNK];
	ssize done = 0, error = 0;
	(void)pos;

	if (t->modes.lflag & TOSTOP) {
		error = tty_check_change(t);
		if (error)
			return error;
	}
	while (uio->left && !error) {
		size_t n = uio_in(uio, bytes, CHUNK);
		if (n == 0)
			error = -EFAULT;
		else
			error = write_chunk(f, t, bytes, n, &done);
	}
	if (done)
		end_write(t);
	return done ? done : error;
}

unsigned tty_poll(struct file *f, struct waitq **queue)
{
	struct tty *t = tty_of(f);
	unsigned events = 0;

	*queue = &t->changed;
	if (tty_hung_up(f))
		return POLL_IN | POLL_READ_NORMAL | POLL_OUT | POLL_WRITE_NORMAL | POLL_ERR | POLL_HUP;
	mutex_lock(&t->lock);
	size_t enough = canonical(t) || t->modes.cc[VTIME] || t->modes.cc[VMIN] == 0 ? 1 : t->modes.cc[VMIN];
	if (tty_available(t) >= enough)
		events |= POLL_IN | POLL_READ_NORMAL;
	if (!t->output_stopped && !tty_output_full(t))
		events |= POLL_OUT | POLL_WRITE_NORMAL;
	mutex_unlock(&t->lock);
	return events;
}

long tty_file_ioctl(struct file *f, unsigned command, unsigned long arg)
{
	if (tty_hung_up(f))
		return command == TIOCSPGRP ? -ENOTTY : -EIO;
	return tty_ioctl(f, tty_of(f), TTY_SLAVE, command, arg);
}

/* ---- opening ---------------------------------------------------------------------------- */

int tty_open(struct file *f, struct tty *t, enum tty_life life)
{
	f->pos = life == TTY_NEVER_HANGS_UP ? NO_HANGUP : __atomic_load_n(&t->hangups, __ATOMIC_RELAXED);
	mutex_lock(&t->lock);
	int error = t->driver->may_open ? t->driver->may_open(t) : 0;
	if (!error && t->exclusive && !capable(CAP_SYS_ADMIN))
		error = -EBUSY;
	if (!error) {
		f->data = t;
		t->opens++;
		t->was_open = true;
	}
	mutex_unlock(&t->lock);
	return error;
}

void tty_release(struct file *f)
{
	struct tty *t = tty_of(f);

	mutex_lock(&t->lock);
	if (--t->opens == 0)
		t->exclusive = false;
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	tty_put(t);
}

/* The controlling terminal, whichever it is. */
static int open_controlling(struct file *f)
{
	struct tty *t = tty_controlling();
	int error = t ? tty_open(f, t, TTY_HANGS_UP) : -ENXIO;

	if (error)
		tty_put(t);
	return error;
}

static const struct file_ops controlling_ops = TTY_OPS(open_controlling);

void tty_init_controlling(void)
{
	dev_register("tty", makedev64(MAJOR_TTY, MINOR_TTY), 0666, &controlling_ops);
}
