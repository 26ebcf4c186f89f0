/*
 * fs/job.c - the devices of a job; see job.h.
 *
 * Standard input is read ahead into a buffer, so that poll can say whether there is something.  Output goes straight to the host.
 *
 * Locks: input_lock guards the buffer; it is dropped before bytes are copied to the user. `arrived` is woken in interrupt context.  output_lock of a channel
 * keeps what one write sends together; it is held over copies from the user, as that of a pipe.
 */
#include "fs/job.h"
#include "arch/console.h"
#include "fs/vfs.h"
#include "lib/string.h"

enum { INPUT_SIZE = 4096, CHUNK = 512, MAJOR_JOB = 240 };

static struct spinlock input_lock = SPINLOCK_INIT("job input", RANK_WAITQ - 2);
static char input[INPUT_SIZE];
static size_t input_start, input_end;	/* bytes that are there and not read yet; input_lock, as the buffer and the next */
static bool input_ended;		/* none will follow */
static struct mutex output_lock[] = {
	[JOB_STDOUT] = { .rank = RANK_PIPE, .name = "job stdout" }, [JOB_STDERR] = { .rank = RANK_PIPE, .name = "job stderr" },
	[JOB_STATUS] = { .rank = RANK_PIPE, .name = "job status" },
};
static struct waitq arrived = WAITQ_INIT(arrived);

/* Interrupt context: there is more to get. */
void job_received(void)
{
	wake_all(&arrived);
}

/* Gets what has come, if the buffer is empty. => bytes that can be read; input_lock held. */
static size_t look_ahead(void)
{
	if (input_start == input_end && !input_ended) {
		ssize n = job_get(input, sizeof input);
		input_start = 0;
		input_end = n > 0 ? (size_t)n : 0;
		input_ended = n < 0;
	}
	return input_end - input_start;
}

/* Up to n bytes; 0: none yet, -1: never again. */
static ssize take(char *to, size_t n)
{
	unsigned long irq = spin_lock_irq(&input_lock);
	size_t there = look_ahead();
	ssize taken = there ? (ssize)(there < n ? there : n) : input_ended ? -1 : 0;
	if (taken > 0) {
		memcpy(to, input + input_start, (size_t)taken);
		input_start += (size_t)taken;
	}
	spin_unlock_irq(&input_lock, irq);
	return taken;
}

/* Waits for the first bytes only.  Bytes that the user's memory does not take are lost, as on a terminal. */
static ssize stdin_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	char chunk[CHUNK];
	size_t done = 0;
	(void)pos;
	while (uio->left > 0) {
		wait_prepare(&arrived);
		ssize n = take(chunk, uio->left < CHUNK ? uio->left : CHUNK);
		if (n == 0 && done == 0 && !(f->flags & OPEN_NONBLOCK)) {
			int error = wait_sleep(&arrived, WAIT_INTERRUPTIBLE);
			wait_finish(&arrived);
			if (error)
				return error;
			continue;
		}
		wait_finish(&arrived);
		if (n <= 0)
			return n < 0 || done ? (ssize)done : -EAGAIN;
		size_t moved = uio_out(uio, chunk, (size_t)n);
		done += moved;
		if (moved < (size_t)n)
			return done ? (ssize)done : -EFAULT;
	}
	return (ssize)done;
}

static unsigned stdin_poll(struct file *f, struct waitq **queue)
{
	(void)f;
	*queue = &arrived;
	unsigned long irq = spin_lock_irq(&input_lock);
	size_t there = look_ahead();
	unsigned events = there ? POLL_IN | POLL_READ_NORMAL : input_ended ? POLL_IN | POLL_READ_NORMAL | POLL_HUP : 0;
	spin_unlock_irq(&input_lock, irq);
	return events;
}

/* Sends all of it, whatever time the host takes. */
static ssize send(enum job_channel channel, struct uio *uio)
{
	char chunk[CHUNK];
	size_t all = uio->left, done = 0, n = 1;
	mutex_lock(&output_lock[channel]);
	while (done < all && n > 0) {
		n = uio_in(uio, chunk, CHUNK);
		job_put(channel, chunk, n);
		done += n;
	}
	mutex_unlock(&output_lock[channel]);
	return done || !all ? (ssize)done : -EFAULT;
}

static ssize stdout_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	(void)f, (void)pos;
	return send(JOB_STDOUT, uio);
}

static ssize stderr_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	(void)f, (void)pos;
	return send(JOB_STDERR, uio);
}

static ssize status_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	(void)f, (void)pos;
	return send(JOB_STATUS, uio);
}

static ssize command_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	char chunk[CHUNK];
	size_t done = 0;
	(void)f;
	while (uio->left > 0) {
		ssize n = host_blob_read("job", *pos, chunk, uio->left < CHUNK ? uio->left : CHUNK);
		if (n <= 0)
			return done ? (ssize)done : n;
		size_t moved = uio_out(uio, chunk, (size_t)n);
		done += moved;
		*pos += moved;
		if (moved < (size_t)n)
			return done ? (ssize)done : -EFAULT;
	}
	return (ssize)done;
}

static const struct file_ops stdin_ops = { .read = stdin_read, .poll = stdin_poll, .seek = file_no_seek };
static const struct file_ops stdout_ops = { .write = stdout_write, .seek = file_no_seek };
static const struct file_ops stderr_ops = { .write = stderr_write, .seek = file_no_seek };
static const struct file_ops status_ops = { .write = status_write, .seek = file_no_seek };
static const struct file_ops command_ops = { .read = command_read };

void job_init(void)
{
	if (!job_present())
		return;
	job_get(input, 0);		/* turns the receiver on: the host sends once init has said that it started */
	dev_register("job-stdin", makedev64(MAJOR_JOB, 0), 0666, &stdin_ops);
	dev_register("job-stdout", makedev64(MAJOR_JOB, 1), 0666, &stdout_ops);
	dev_register("job-stderr", makedev64(MAJOR_JOB, 2), 0666, &stderr_ops);
	dev_register("job-status", makedev64(MAJOR_JOB, 3), 0600, &status_ops);
	dev_register("job-command", makedev64(MAJOR_JOB, 4), 0400, &command_ops);
}
