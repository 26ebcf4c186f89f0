/*
 * kernel/sys_system.c - system calls about the machine as a whole: its name, memory and load, random numbers, the log, its end.
 */
#include "arch/time.h"
#include "arch/uaccess.h"
#include "kernel/clock.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "kernel/system.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/frame.h"

/* ---- names -------------------------------------------------------------------------- */

static struct spinlock name_lock = SPINLOCK_INIT("host name", RANK_ZONE + 1);
static char names[2][SYSTEM_NAME_SIZE] = { "faultline", "(none)" };	/* name_lock */

void system_get_name(enum system_name which, char to[SYSTEM_NAME_SIZE])
{
	spin_lock(&name_lock);
	memcpy(to, names[which], SYSTEM_NAME_SIZE);
	spin_unlock(&name_lock);
}

void system_set_name(enum system_name which, const char *name, unsigned long len)
{
	spin_lock(&name_lock);
	memset(names[which], 0, SYSTEM_NAME_SIZE);
	memcpy(names[which], name, len);
	spin_unlock(&name_lock);
}

long sys_uname(const unsigned long args[6])
{
	enum { N = SYSTEM_NAME_SIZE };
	struct { char os[N], host[N], release[N], version[N], machine[N], domain[N]; } u;

	memset(&u, 0, sizeof u);
	memcpy(u.os, SYSTEM_OS, sizeof SYSTEM_OS);
	system_get_name(SYSTEM_HOST, u.host);
	memcpy(u.release, SYSTEM_RELEASE, sizeof SYSTEM_RELEASE);
	memcpy(u.version, SYSTEM_VERSION, sizeof SYSTEM_VERSION);
	memcpy(u.machine, SYSTEM_MACHINE, sizeof SYSTEM_MACHINE);
	system_get_name(SYSTEM_DOMAIN, u.domain);
	return user_put(args[0], u);
}

static long set_name(enum system_name which, vaddr_t from, long len)
{
	char name[SYSTEM_NAME_SIZE];
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len >= SYSTEM_NAME_SIZE)
		return -EINVAL;
	if (user_copy_in(name, from, (size_t)len))
		return -EFAULT;
	system_set_name(which, name, (unsigned long)len);
	return 0;
}

long sys_sethostname(const unsigned long args[6])
{
	return set_name(SYSTEM_HOST, args[0], (int)args[1]);
}

long sys_setdomainname(const unsigned long args[6])
{
	return set_name(SYSTEM_DOMAIN, args[0], (int)args[1]);
}

/* ---- memory and load ------------------------------------------------------------------ */

long sys_sysinfo(const unsigned long args[6])
{
	enum { SYSINFO_LOAD_SHIFT = 16 };
	struct {
		int64_t uptime;
		uint64_t loads[3], total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
		uint16_t processes, pad0;
		uint32_t pad1;
		uint64_t total_high, free_high;
		uint32_t unit, pad2;
	} info;
	_Static_assert(sizeof info == 112, "struct sysinfo has 112 bytes");
	struct frame_stats frames;
	unsigned long load[3];

	memset(&info, 0, sizeof info);
	frame_get_stats(&frames);
	load_get(load);
	info.uptime = (int64_t)((time_now_ns() + NS_PER_SECOND - 1) / NS_PER_SECOND);
	for (int i = 0; i < 3; i++)
		info.loads[i] = load[i] << (SYSINFO_LOAD_SHIFT - LOAD_SHIFT);
	info.total_ram = (uint64_t)frames.managed * PAGE_SIZE;
	info.free_ram = (uint64_t)frames.free * PAGE_SIZE;
	info.processes = (uint16_t)process_count();
	info.unit = 1;
	return user_put(args[0], info);
}

/* ---- random numbers -------------------------------------------------------------------- */

long sys_getrandom(const unsigned long args[6])
{
	enum { GRND_NONBLOCK = 1, GRND_RANDOM = 2, GRND_INSECURE = 4, CHUNK = 256 };
	vaddr_t to = args[0];
	size_t left = args[1] > INT32_MAX ? INT32_MAX : args[1], done = 0;
	unsigned flags = (unsigned)args[2];
	char bytes[CHUNK];

	if (flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	while (left > 0) {
		size_t n = left < CHUNK ? left : CHUNK;
		random_bytes(bytes, n);
		size_t missed = user_copy_out(to + done, bytes, n);
		done += n - missed;
		left -= n - missed;
		if (missed)
			return done ? (long)done : -EFAULT;
		if (left && signal_pending(current_thread()))
			break;
	}
	return (long)done;
}

/* ---- the log ------------------------------------------------------------------------------ */

static uint64_t log_cleared, log_consumed;	/* positions: dmesg -c; klogd. Written by root's calls; a torn read shows other lines, no harm */

/* Copies the log from *from on to the user. */
static long copy_log(uint64_t *from, vaddr_t to, size_t size)
{
	char bytes[256];
	size_t done = 0;
	while (done < size) {
		size_t n = log_read(from, bytes, size - done < sizeof bytes ? size - done : sizeof bytes);
		if (n == 0)
			break;
		if (user_copy_out(to + done, bytes, n))
			return -EFAULT;
		done += n;
	}
	return (long)done;
}

/* The last `size` bytes since the log was cleared. */
static long read_all(vaddr_t to, size_t size)
{
	struct log_range r = log_range();
	uint64_t from = log_cleared > r.start ? log_cleared : r.start;
	if (r.end - from > size)
		from = r.end - size;
	return copy_log(&from, to, size);
}

/* Waits for what has not been consumed yet.  The log wakes nobody (it is written with the last of all locks held), so look now and then. */
static long consume(vaddr_t to, size_t size)
{
	enum { LOOK_NS = 200000000 };
	while (log_consumed >= log_range().end)
		if (sched_sleep_interruptible(time_now_ns() + LOOK_NS))
			return -ERESTARTSYS;
	return copy_log(&log_consumed, to, size);
}

long sys_syslog(const unsigned long args[6])
{
	enum { CLOSE, OPEN, READ, READ_ALL, READ_CLEAR, CLEAR, CONSOLE_OFF, CONSOLE_ON, CONSOLE_LEVEL, SIZE_UNREAD, SIZE_BUFFER };
	int type = (int)args[0], size = (int)args[2];
	long result;

	if (type != READ_ALL && type != SIZE_BUFFER && !capable(CAP_SYSLOG))
		return -EPERM;
	switch (type) {
	case CLOSE: case OPEN:
		return 0;
	case READ: case READ_ALL: case READ_CLEAR:
		if (!args[1] || size < 0)
			return -EINVAL;
		if (size == 0)
			return 0;
		if (type == READ)
			return consume(args[1], (size_t)size);
		result = read_all(args[1], (size_t)size);
		if (type == READ_CLEAR && result >= 0)
			log_cleared = log_range().end;
		return result;
	case CLEAR:
		log_cleared = log_range().end;
		return 0;
	case CONSOLE_OFF: case CONSOLE_ON:
		return 0;			/* what the kernel says is always seen */
	case CONSOLE_LEVEL:
		return size < 1 || size > 8 ? -EINVAL : 0;
	case SIZE_UNREAD: {
		struct log_range r = log_range();
		return (long)(r.end - (log_consumed > r.start ? log_consumed : r.start));
	}
	case SIZE_BUFFER:
		return LOG_SIZE;
	default:
		return -EINVAL;
	}
}

/* ---- the end -------------------------------------------------------------------------------- */

long sys_reboot(const unsigned long args[6])
{
	enum { MAGIC = 0xfee1dead, MAGIC2 = 672274793, MAGIC2A = 85072278, MAGIC2B = 369367448, MAGIC2C = 537993216 };
	enum { RESTART = 0x01234567, HALT = 0xcdef0123, CAD_ON = 0x89abcdef, CAD_OFF = 0, POWER_OFF = 0x4321fedc, RESTART2 = 0xa1b2c3d4 };
	uint32_t magic = (uint32_t)args[0], magic2 = (uint32_t)args[1];

	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (magic != MAGIC || (magic2 != MAGIC2 && magic2 != MAGIC2A && magic2 != MAGIC2B && magic2 != MAGIC2C))
		return -EINVAL;
	switch ((uint32_t)args[2]) {
	case CAD_ON: case CAD_OFF:
		return 0;
	case RESTART: case RESTART2:
		kprintf("reboot: Restarting system\n");
		machine_end(MACHINE_REBOOT);
	case HALT: case POWER_OFF:
		kprintf("reboot: Power down\n");
		machine_end(MACHINE_POWEROFF);
	default:
		return -EINVAL;
	}
}
