/*
 * arch/x86_64/time.c - clocks: the time-stamp counter, the 8254 timer that ticks and that the counter is measured with, the battery clock.
 *
 * (Intel 8254 data sheet; MC146818 data sheet; Intel SDM volume 3, 18.17 'Time-Stamp Counter'.)
 * Written once by time_init, before the first tick.
 */
#include "arch/time.h"
#include "arch/cpu.h"
#include "arch/x86_64/frame.h"
#include "arch/x86_64/irq.h"
#include "arch/x86_64/x86.h"

enum { PIT_HZ = 1193182, PIT_TICK = 0x40, PIT_SPEAKER = 0x42, PIT_COMMAND = 0x43, SPEAKER_PORT = 0x61, IRQ_TIMER = 0 };
enum { SPEAKER_GATE = 1, SPEAKER_SOUND = 2, SPEAKER_OUT = 0x20 };
enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71, CMOS_SECOND = 0, CMOS_MINUTE = 2, CMOS_HOUR = 4, CMOS_DAY = 7, CMOS_MONTH = 8, CMOS_YEAR = 9,
	CMOS_STATUS_A = 10, CMOS_STATUS_B = 11, CMOS_UPDATING = 0x80, CMOS_24_HOURS = 2, CMOS_BINARY = 4, CMOS_PM = 0x80 };
enum { SAMPLES = 3, SAMPLE_MS = 10 };

static uint64_t start_cycles, khz;
static uint64_t ns_per_cycle;			/* in units of 2^-32 */

/* Cycles while the speaker's timer counts down once; it is gated and its output can be read, so no interrupt is needed. */
static uint64_t sample(void)
{
	const unsigned count = PIT_HZ / 1000 * SAMPLE_MS;
	uint8_t port = inb(SPEAKER_PORT) & ~(uint8_t)(SPEAKER_SOUND | SPEAKER_GATE);

	outb(SPEAKER_PORT, port | SPEAKER_GATE);
	outb(PIT_COMMAND, 0xb0);		/* counter 2, two bytes, mode 0: output rises when it has counted down */
	outb(PIT_SPEAKER, count & 0xff);
	uint64_t from = cpu_cycles();
	outb(PIT_SPEAKER, count >> 8);		/* starts it */
	while (!(inb(SPEAKER_PORT) & SPEAKER_OUT))
		;
	uint64_t cycles = cpu_cycles() - from;
	outb(SPEAKER_PORT, port);
	return cycles * PIT_HZ / count / 1000;
}

/* The middle of three: whoever delays one (an emulator's host, firmware) does not matter. */
static uint64_t measure_khz(void)
{
	uint64_t s[SAMPLES];

	for (int i = 0; i < SAMPLES; i++) {
		uint64_t v = sample();
		int at = i;
		for (; at > 0 && s[at - 1] > v; at--)
			s[at] = s[at - 1];
		s[at] = v;
	}
	uint64_t whole_mhz = (s[SAMPLES / 2] + 500) / 1000 * 1000, off = s[SAMPLES / 2] > whole_mhz ? s[SAMPLES / 2] - whole_mhz : whole_mhz - s[SAMPLES / 2];
	return off * 5000 < whole_mhz ? whole_mhz : s[SAMPLES / 2];		/* closer than can be measured: the round number is meant */
}

static void tick(const struct trap_frame *frame)
{
	kernel_tick(from_user(frame) ? TICK_USER : TICK_KERNEL);
}

void time_init(void)
{
	const unsigned count = (PIT_HZ + TICK_HZ / 2) / TICK_HZ;

	khz = measure_khz();
	if (khz == 0)
		khz = 1000000;				/* no counter worth the name: time goes wrong, but goes */
	ns_per_cycle = ((uint64_t)1000000 << 32) / khz;
	start_cycles = cpu_cycles();
	outb(PIT_COMMAND, 0x34);		/* counter 0, two bytes, mode 2: a pulse each time */
	outb(PIT_TICK, count & 0xff);
	outb(PIT_TICK, count >> 8);
	irq_handle(IRQ_TIMER, tick);
}

void time_arm(uint64_t at_ns)
{
	(void)at_ns;			/* it ticks anyway */
}

uint64_t time_now_ns(void)
{
	return (uint64_t)((unsigned __int128)(cpu_cycles() - start_cycles) * ns_per_cycle >> 32);
}

uint64_t time_cycles_khz(void)
{
	return khz;
}

/* ---- the battery clock ------------------------------------------------------------------------------------------------------------------ */

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
