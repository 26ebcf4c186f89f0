/*
 * arch/x86_64/cmos.c - the battery clock (MC146818 data sheet).
 *
 * => boot only, one processor, no locks.
 */
#include "arch/time.h"
#include "arch/x86_64/x86.h"

enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71, CMOS_SECOND = 0, CMOS_MINUTE = 2, CMOS_HOUR = 4, CMOS_DAY = 7, CMOS_MONTH = 8, CMOS_YEAR = 9,
	CMOS_STATUS_A = 10, CMOS_STATUS_B = 11, CMOS_UPDATING = 0x80, CMOS_24_HOURS = 2, CMOS_BINARY = 4, CMOS_PM = 0x80 };

static uint8_t cmos(uint8_t index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

struct cmos_time { uint8_t second, minute, hour, day, month, year; };

static struct cmos_time read_clock(void)
{
	for (int patience = 100000; (cmos(CMOS_STATUS_A) & CMOS_UPDATING) && patience > 0; patience--)
		;
	return (struct cmos_time){ cmos(CMOS_SECOND), cmos(CMOS_MINUTE), cmos(CMOS_HOUR), cmos(CMOS_DAY), cmos(CMOS_MONTH), cmos(CMOS_YEAR) };
}

static unsigned from_bcd(uint8_t v, uint8_t status)
{
	return status & CMOS_BINARY ? v : (unsigned)(v >> 4) * 10 + (v & 15);
}

/* Days since 1970-01-01, for years from 1970 on: years begin in March, so that the leap day is the last of its year. */
static uint64_t days_from_civil(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
	return (uint64_t)y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t time_boot_wallclock(void)
{
	struct cmos_time t = read_clock();
	uint8_t status = cmos(CMOS_STATUS_B);
	unsigned hour = from_bcd(t.hour & ~CMOS_PM, status), month = from_bcd(t.month, status), day = from_bcd(t.day, status);

	if (!(status & CMOS_24_HOURS))
		hour = hour % 12 + (t.hour & CMOS_PM ? 12 : 0);
	if (month < 1 || month > 12 || day < 1 || day > 31)
		return 0;
	return ((days_from_civil(2000 + from_bcd(t.year, status), month, day) * 24 + hour) * 60 + from_bcd(t.minute, status)) * 60
		+ from_bcd(t.second, status);
}
