/*
 * kernel/log.c - the last 16 KiB of what the kernel has said, in a ring.
 *
 * Protected by log_lock: the last in the order, interrupts off, so that anything can be said anywhere.
 */
#include "kernel/log.h"
#include "arch/time.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/sync.h"

static struct spinlock log_lock = SPINLOCK_INIT("log", RANK_CONSOLE + 1);
static char ring[LOG_SIZE];			/* log_lock; byte at position p: ring[p % LOG_SIZE] */
static uint64_t end;				/* log_lock */
static bool inside_line;			/* log_lock */

static void put(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ring[end++ % LOG_SIZE] = bytes[i];
}

static void put_prefix(void)
{
	char prefix[32];
	uint64_t usec = time_now_ns() / 1000;
	int n = snprintf(prefix, sizeof prefix, "<6>[%5lu.%06lu] ", (unsigned long)(usec / 1000000), (unsigned long)(usec % 1000000));
	put(prefix, (size_t)n);
}

void log_append(const char *bytes, size_t n)
{
	unsigned long irq = spin_lock_irq(&log_lock);
	for (size_t i = 0; i < n; i++) {
		if (!inside_line)
			put_prefix();
		put(bytes + i, 1);
		inside_line = bytes[i] != '\n';
	}
	spin_unlock_irq(&log_lock, irq);
}

static struct log_range range_locked(void)
{
	return (struct log_range){ end > LOG_SIZE ? end - LOG_SIZE : 0, end };
}

struct log_range log_range(void)
{
	unsigned long irq = spin_lock_irq(&log_lock);
	struct log_range r = range_locked();
	spin_unlock_irq(&log_lock, irq);
	return r;
}

size_t log_read(uint64_t *from, char *to, size_t n)
{
	unsigned long irq = spin_lock_irq(&log_lock);
	struct log_range r = range_locked();
	if (*from < r.start)
		*from = r.start;
	size_t done = 0;
	while (done < n && *from < r.end)
		to[done++] = ring[(*from)++ % LOG_SIZE];
	spin_unlock_irq(&log_lock, irq);
	return done;
}
