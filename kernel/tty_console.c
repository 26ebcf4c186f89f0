/*
 * kernel/tty_console.c - the terminal on the serial line: /dev/console and /dev/ttyS0.
 *
 * The console's interrupt puts bytes into a ring; a thread of its own takes them through the line discipline, so that echo and
 * Ctrl-C work whatever the programs do, and in a context that may take mutexes.
 */
#include "arch/console.h"
#include "fs/dev.h"
#include "kernel/sched.h"
#include "kernel/tty.h"
#include "lib/print.h"

enum { RING = 4096 };
enum { MAJOR_SERIAL = 4, MINOR_SERIAL = 64, MAJOR_TTY = 5, MINOR_CONSOLE = 1 };

static struct tty console;

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

static void take_arrived(struct tty *t)
{
	uint8_t c;
	mutex_lock(&t->lock);
	while (!tty_input_full(t) && ring_take(&c))
		tty_type(t, c);
	mutex_unlock(&t->lock);
	wake_all(&t->changed);
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
		take_arrived(t);
	}
}

/* ---- the driver, and the devices ------------------------------------------------------ */

static void console_want_input(struct tty *t)
{
	(void)t;
	wake_all(&arrived);
}

static size_t console_room(const struct tty *t)
{
	(void)t;
	return SIZE_MAX;
}

static void console_output(struct tty *t, const char *bytes, size_t n)
{
	(void)t;
	console_write(bytes, n);
}

static const struct tty_driver console_driver = {
	.room = console_room, .write = console_output, .want_input = console_want_input, .session_hangs_up = true,
};

static struct tty *console_ref(void)
{
	__atomic_add_fetch(&console.refs, 1, __ATOMIC_RELAXED);
	return &console;
}

static int open_console_as(struct file *f, enum tty_life life)
{
	int error = tty_open(f, console_ref(), life);
	if (error)
		tty_put(&console);
	return error;
}

static int open_serial(struct file *f)
{
	int error = open_console_as(f, TTY_HANGS_UP);
	if (!error)
		tty_adopt(f, &console);
	return error;
}

static int open_console(struct file *f)
{
	return open_console_as(f, TTY_NEVER_HANGS_UP);
}

static const struct file_ops serial_ops = TTY_OPS(open_serial), console_ops = TTY_OPS(open_console);

void console_tty_init(void)
{
	tty_init(&console, &console_driver, makedev64(MAJOR_SERIAL, MINOR_SERIAL));
	console.modes.iflag |= IUTF8;
	console.modes.cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
	console.modes.ispeed = console.modes.ospeed = 115200;
	console.size = (struct winsize){ .rows = 24, .columns = 80 };
	dev_register("console", makedev64(MAJOR_TTY, MINOR_CONSOLE), 0600, &console_ops);
	dev_register("ttyS0", makedev64(MAJOR_SERIAL, MINOR_SERIAL), 0620, &serial_ops);
	if (!kthread_create(input_thread, &console))
		kprintf("tty: no memory for the input thread: the console cannot be typed at\n");
}
