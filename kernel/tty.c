/*
 * kernel/tty.c - the terminal as a device: received bytes, open, read, write, poll, and the end of a session.  See tty.h for the picture.
 *
 * The console's interrupt puts bytes into a ring; a thread of its own takes them through the line discipline, so that echo and
 * Ctrl-C work whatever the programs do, and in a context that may take mutexes.
 *
 * A hang-up (the session leader exits) makes all files dead that were opened before it: they read end-of-file and cannot be written.  Those of
 * /dev/console live on, as on Linux.
 */
#include "kernel/tty.h"
#include "arch/console.h"
#include "arch/time.h"
#include "fs/dev.h"
#include "kernel/sched.h"
#include "lib/print.h"
#include "vm/heap.h"

enum { RING = 4096, CHUNK = 256, DECISECOND_NS = 100000000 };
enum { MAJOR_SERIAL = 4, MINOR_SERIAL = 64, MAJOR_TTY = 5, MINOR_TTY = 0, MINOR_CONSOLE = 1 };
#define NEVER		(~(uint64_t)0)
#define NO_HANGUP	((void *)~(uintptr_t)0)		/* file->data of /dev/console; of others: tty->hangups at open */

static struct tty console = {
	.modes = {
		.iflag = ICRNL | IXON | IUTF8, .oflag = OPOST | ONLCR, .cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
		.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17, [VSTOP] = 19, [VSUSP] = 26,
			[VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22 },
		.ispeed = 115200, .ospeed = 115200,
	},
	.size = { .rows = 24, .columns = 80 },
};

static struct spinlock ring_lock = SPINLOCK_INIT("console ring", RANK_WAITQ - 2);
static uint8_t ring[RING];			/* ring_lock; positions count up for ever */
static unsigned ring_head, ring_tail;		/* ring_lock; whether they differ is seen without */
static struct waitq arrived = WAITQ_INIT(arrived);	/* bytes in the ring, or room in the queue */

/* ---- input ------------------------------------------------------------------------ */

/* Interrupt context.  What finds no room is lost, as on any serial line without flow control. */
void console_received(const char *bytes, size_t n)
{
	unsigned long irq = spin_lock_irq(&ring_lock);
	for (size_t i = 0; i < n && ring_head - ring_tail < RING; i++)
		ring[ring_head++ % RING] = (uint8_t)bytes[i];
	spin_unlock_irq(&ring_lock, irq);
	wake_all(&arrived);
}

static bool ring_take(uint8_t *c)
{
	unsigned long irq = spin_lock_irq(&ring_lock);
	bool any = ring_head != ring_tail;
	if (any)
		*c = ring[ring_tail++ % RING];
	spin_unlock_irq(&ring_lock, irq);
	return any;
}

/* Takes what has arrived, up to a byte that means a signal; returns the signal. */
static int take_arrived(struct tty *t)
{
	int signo = 0;
	uint8_t c;
	mutex_lock(&t->lock);
	while (!signo && !tty_input_full(t) && ring_take(&c))
		signo = tty_input(t, c);
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
	return signo;
}

static void signal_foreground(struct tty *t, int signo)
{
	mutex_lock(&tree_lock);
	pid_type group = t->foreground;
	mutex_unlock(&tree_lock);
	if (group)
		signal_send_group(group, signo, NULL);
}

void tty_want_input(void)
{
	wake_all(&arrived);
}

static bool nothing_to_take(const struct tty *t)
{
	return __atomic_load_n(&ring_head, __ATOMIC_RELAXED) == ring_tail || tty_input_full(t);
}

static void input_thread(void *arg)
{
	struct tty *t = arg;
	for (;;) {
		wait_prepare(&arrived);
		while (nothing_to_take(t)) {
			wait_sleep(&arrived, WAIT_UNINTERRUPTIBLE);
			wait_prepare(&arrived);
		}
		wait_finish(&arrived);
		int signo = take_arrived(t);
		if (signo)
			signal_foreground(t, signo);
	}
}

/* ---- reading and writing ------------------------------------------------------------ */

struct tty *tty_of(const struct file *f)
{
	(void)f;
	return &console;
}

static bool hung_up(const struct file *f)
{
	return f->data != NO_HANGUP && (uintptr_t)f->data != __atomic_load_n(&tty_of(f)->hangups, __ATOMIC_RELAXED);
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
	int result;

	wait_prepare(&t->changed);
	for (;;) {
		size_t have = tty_available(t), min = t->modes.cc[VMIN];
		uint64_t time = (uint64_t)t->modes.cc[VTIME] * DECISECOND_NS;
		bool raw = !canonical(t);
		result = 0;
		if (have >= needed(t, asked) || hung_up(f) || (raw && min == 0 && time == 0))
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

static ssize tty_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct tty *t = tty_of(f);
	(void)pos;

	if (hung_up(f) || uio->left == 0)
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
	tty_want_input();
	return result;
}

/* Waits while output is stopped, or another is in the middle of a write; tty->lock is held, and dropped meanwhile. */
static int await_output(struct file *f, struct tty *t)
{
	int result = 0;
	wait_prepare(&t->changed);
	while ((t->output_stopped || (t->writer && t->writer != current_thread())) && !hung_up(f)) {
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

/* What others write comes before or after it. */
static ssize tty_write(struct file *f, struct uio *uio, uint64_t *pos)
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
		if (hung_up(f)) {
			error = -EIO;
			break;
		}
		size_t n = uio_in(uio, bytes, CHUNK);
		if (n == 0) {
			error = -EFAULT;
			break;
		}
		mutex_lock(&t->lock);
		error = await_output(f, t);
		if (!error) {
			t->writer = current_thread();
			tty_output(t, bytes, n);
			done += (ssize)n;
		}
		mutex_unlock(&t->lock);
	}
	if (done)
		end_write(t);
	return done ? done : error;
}

static unsigned tty_poll(struct file *f, struct waitq **queue)
{
	struct tty *t = tty_of(f);
	unsigned events = 0;

	*queue = &t->changed;
	if (hung_up(f))
		return POLL_IN | POLL_READ_NORMAL | POLL_OUT | POLL_WRITE_NORMAL | POLL_ERR | POLL_HUP;
	mutex_lock(&t->lock);
	size_t enough = canonical(t) || t->modes.cc[VTIME] || t->modes.cc[VMIN] == 0 ? 1 : t->modes.cc[VMIN];
	if (tty_available(t) >= enough)
		events |= POLL_IN | POLL_READ_NORMAL;
	if (!t->output_stopped)
		events |= POLL_OUT | POLL_WRITE_NORMAL;
	mutex_unlock(&t->lock);
	return events;
}

static long device_ioctl(struct file *f, unsigned command, unsigned long arg)
{
	return hung_up(f) ? -EIO : tty_ioctl(f, command, arg);
}

/* ---- opening ---------------------------------------------------------------------------- */

static int open_serial(struct file *f)
{
	struct tty *t = &console;
	f->data = (void *)(uintptr_t)t->hangups;
	if (!(f->flags & OPEN_NO_CTTY) && file_readable(f))
		tty_adopt(t);
	return 0;
}

static int open_console(struct file *f)
{
	f->data = NO_HANGUP;
	return 0;
}

/* /dev/tty: the controlling terminal, whichever it is. */
static int open_controlling(struct file *f)
{
	if (!current->tty)
		return -ENXIO;
	f->data = (void *)(uintptr_t)console.hangups;
	return 0;
}

#define TTY_OPS(open_) { .open = open_, .read = tty_read, .write = tty_write, .ioctl = device_ioctl, .seek = file_no_seek, .poll = tty_poll }
static const struct file_ops serial_ops = TTY_OPS(open_serial), console_ops = TTY_OPS(open_console), controlling_ops = TTY_OPS(open_controlling);

uint64_t tty_device(const struct tty *t)
{
	return t ? makedev64(MAJOR_SERIAL, MINOR_SERIAL) : 0;
}

void tty_session_ends(struct process *leader)
{
	struct tty *t = leader->tty;
	if (!t || leader->sid != leader->pid)
		return;
	mutex_lock(&tree_lock);
	pid_type group = t->session == leader->sid ? t->foreground : 0;
	if (t->session == leader->sid) {
		t->session = t->foreground = 0;
		t->hangups++;
		list_for_each(l, &process_list) {
			struct process *p = container_of(l, struct process, all);
			if (p->sid == leader->sid)
				p->tty = NULL;
		}
	}
	mutex_unlock(&tree_lock);
	if (group) {
		signal_send_group(group, SIGHUP, NULL);
		signal_send_group(group, SIGCONT, NULL);
	}
	wake_all(&t->changed);
}

void tty_init(void)
{
	mutex_init(&console.lock, "tty", RANK_PIPE);
	waitq_init(&console.changed);
	dev_register("console", makedev64(MAJOR_TTY, MINOR_CONSOLE), 0600, &console_ops);
	dev_register("tty", makedev64(MAJOR_TTY, MINOR_TTY), 0666, &controlling_ops);
	dev_register("ttyS0", makedev64(MAJOR_SERIAL, MINOR_SERIAL), 0620, &serial_ops);
	if (!kthread_create(input_thread, &console))
		kprintf("tty: no memory for the input thread: the console cannot be typed at\n");
}
