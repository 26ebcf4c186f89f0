/*
 * arch/x86_64/time.c - the clock, which is the time-stamp counter, and the timers, which are those of the local interrupt controllers; both are measured with the
 * 8254.  (Intel 8254 data sheet; Intel SDM volume 3, 18.17 'Time-Stamp Counter', 10.5.4 'APIC Timer'.)
 *
 * Without such timers the 8254 ticks.  Without a counter that can be measured it ticks as well, and the ticks are the clock.
 *
 * Counters of different processors need not agree.  Each is compared with that of processor 0 when it starts, and time_now_ns() adds the difference, if it is more than the
 * comparison can be wrong by.
 *
 * Protected by: written by time_init, before the first tick, but for `ticks` (processor 0, atomic), a processor's own data, and `meeting` (one processor starts at a time).
 */
#include "arch/time.h"
#include "arch/cpu.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/frame.h"
#include "arch/x86_64/irq.h"
#include "arch/x86_64/timer.h"
#include "arch/x86_64/vdso/data.h"
#include "arch/x86_64/x86.h"
#include "lib/print.h"

enum { PIT_HZ = 1193182, PIT_TICK = 0x40, PIT_SPEAKER = 0x42, PIT_COMMAND = 0x43, SPEAKER_PORT = 0x61 };
enum { SPEAKER_GATE = 1, SPEAKER_SOUND = 2, SPEAKER_OUT = 0x20 };
enum { SAMPLES = 3, SAMPLE_MS = 10, PATIENCE = 1 << 22 /* reads of a port: seconds */, NS_PER_MS = 1000000 };
enum { TIMER_MIN_NS = 1000, TIMER_MAX_NS = 2000000000 };

static uint64_t start_cycles, cycles_khz;	/* 0: the counter is no use */
static uint64_t ns_per_cycle;			/* in units of 2^-32 */
static uint64_t counts_per_ns;			/* of the timers, in units of 2^-32; 0: there are none */
static uint64_t ticks;				/* of the 8254 */

/* ---- measuring -------------------------------------------------------------------------------------------------------------------------- */

/* In kHz: what counted how fast while the speaker's timer counted down once; it is gated and its output can be read, so no interrupt is needed. */
struct sample { uint64_t cycles, timer; };

static struct sample sample(void)
{
	const unsigned count = PIT_HZ / 1000 * SAMPLE_MS;
	uint8_t port = inb(SPEAKER_PORT) & ~(uint8_t)(SPEAKER_SOUND | SPEAKER_GATE);
	int patience = PATIENCE;

	outb(SPEAKER_PORT, port | SPEAKER_GATE);
	outb(PIT_COMMAND, 0xb0);		/* counter 2, two bytes, mode 0: output rises when it has counted down */
	outb(PIT_SPEAKER, count & 0xff);
	if (apic_present())
		apic_timer_start(UINT32_MAX);
	uint64_t from = cpu_cycles();
	outb(PIT_SPEAKER, count >> 8);		/* starts it */
	while (!(inb(SPEAKER_PORT) & SPEAKER_OUT) && --patience > 0)
		;
	uint64_t cycles = cpu_cycles() - from;
	uint32_t timer = apic_present() ? UINT32_MAX - apic_timer_left() : 0;
	outb(SPEAKER_PORT, port);
	if (patience == 0)
		return (struct sample){ 0, 0 };
	return (struct sample){ cycles * PIT_HZ / count / 1000, (uint64_t)timer * PIT_HZ / count / 1000 };
}

/* The middle of three: whoever delays one (an emulator's host, firmware) does not matter. */
static uint64_t middle(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t low = a < b ? a : b, high = a < b ? b : a;
	return c < low ? low : c > high ? high : c;
}

/* Closer to a round number than can be measured: that is meant. */
static uint64_t rounded(uint64_t khz)
{
	uint64_t whole_mhz = (khz + 500) / 1000 * 1000, off = khz > whole_mhz ? khz - whole_mhz : whole_mhz - khz;
	return off * 5000 < whole_mhz ? whole_mhz : khz;
}

static void tick(const struct trap_frame *frame)
{
	__atomic_store_n(&ticks, ticks + 1, __ATOMIC_RELAXED);
	if (!counts_per_ns)
		kernel_tick(from_user(frame) ? TICK_USER : TICK_KERNEL);
}

static void start_ticking(void)
{
	const unsigned count = (PIT_HZ + TICK_HZ / 2) / TICK_HZ;

	outb(PIT_COMMAND, 0x34);		/* counter 0, two bytes, mode 2: a pulse each time */
	outb(PIT_TICK, count & 0xff);
	outb(PIT_TICK, count >> 8);
	irq_handle(IRQ_TIMER, tick);
}

void time_init(void)
{
	struct sample s[SAMPLES];

	for (int i = 0; i < SAMPLES; i++)
		s[i] = sample();
	uint64_t timer_khz = rounded(middle(s[0].timer, s[1].timer, s[2].timer));
	counts_per_ns = (timer_khz << 32) / NS_PER_MS;
	cycles_khz = rounded(middle(s[0].cycles, s[1].cycles, s[2].cycles));
	if (cycles_khz) {
		ns_per_cycle = ((uint64_t)NS_PER_MS << 32) / cycles_khz;
		start_cycles = cpu_cycles();
	} else {
		kprintf("clock: the processor's counter cannot be measured; %d ticks a second are counted\n", TICK_HZ);
	}
	if (!cycles_khz || !counts_per_ns)
		start_ticking();
}

/* ---- the clock -------------------------------------------------------------------------------------------------------------------------- */

uint64_t time_now_ns(void)
{
	if (!cycles_khz)
		return __atomic_load_n(&ticks, __ATOMIC_RELAXED) * (1000 * NS_PER_MS / TICK_HZ);
	uint64_t cycles = cpu_cycles() + (uint64_t)this_cpu()->cycles_behind - start_cycles;
	return (uint64_t)((unsigned __int128)cycles * ns_per_cycle >> 32);
}

/* The counter alone tells nothing where those of processors differ. */
static bool one_counter(void)
{
	bool one = cycles_khz != 0;

	for (unsigned i = 0; i < cpu_count; i++)
		one &= arch_cpus[i].cycles_behind == 0;
	return one;
}

void time_tell_user(void *page, const struct time_told *told)
{
	struct vdso_data *d = page;
	uint32_t seq = d->seq;

	__atomic_store_n(&d->seq, seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	d->clock = one_counter() ? VDSO_COUNTER : VDSO_ASK;
	d->start_cycles = start_cycles;
	d->ns_per_cycle = ns_per_cycle;
	d->tick_ns = 1000 * NS_PER_MS / TICK_HZ;
	d->wall_ns = told->wall_ns;
	d->tai_ns = told->tai_ns;
	d->minutes_west = told->zone.minutes_west;
	d->dst = told->zone.dst;
	__atomic_store_n(&d->seq, seq + 2, __ATOMIC_RELEASE);
}

uint64_t time_cycles_khz(void)
{
	return cycles_khz;
}

enum { ROUNDS = 8 };
static struct {
	unsigned asked CPU_LOCAL;		/* the round; 0: it is over */
	unsigned answered CPU_LOCAL;
	uint64_t cycles;			/* when it was answered */
} meeting;

/* Neither before what comes before it nor after what comes after it. */
static uint64_t cycles_now(void)
{
	__asm__ volatile("lfence" ::: "memory");
	uint64_t cycles = cpu_cycles();
	__asm__ volatile("lfence" ::: "memory");
	return cycles;
}

/* The answer comes somewhere between asking and seeing it: the tightest of some rounds tells most. */
void clock_compare(struct arch_cpu *other)
{
	uint64_t tightest = ~(uint64_t)0;
	int64_t behind = 0;

	for (unsigned round = 1; round <= ROUNDS; round++) {
		uint64_t before = cycles_now();
		__atomic_store_n(&meeting.asked, round, __ATOMIC_RELEASE);
		while (__atomic_load_n(&meeting.answered, __ATOMIC_ACQUIRE) != round)
			cpu_relax();
		uint64_t took = cycles_now() - before;
		if (took < tightest) {
			tightest = took;
			behind = (int64_t)(before + took / 2 - meeting.cycles);
		}
	}
	bool told = (uint64_t)(behind < 0 ? -behind : behind) > tightest / 2;
	other->cycles_behind = told ? behind : 0;
	__atomic_store_n(&meeting.asked, 0, __ATOMIC_RELEASE);
}

void clock_meet(void)
{
	unsigned round = 0;

	do {
		while (__atomic_load_n(&meeting.asked, __ATOMIC_ACQUIRE) == round)
			cpu_relax();
		round = __atomic_load_n(&meeting.asked, __ATOMIC_ACQUIRE);
		meeting.cycles = cycles_now();
		__atomic_store_n(&meeting.answered, round, __ATOMIC_RELEASE);
	} while (round != 0);
}

/* ---- timers ------------------------------------------------------------------------------------------------------------------------------- */

/* As far as the timer counts: at an interrupt that comes before the time it goes on.  Interrupts off. */
static void start_timer(uint64_t at_ns)
{
	uint64_t now_ns = time_now_ns(), ns = at_ns > now_ns ? at_ns - now_ns : 0;

	if (ns < TIMER_MIN_NS)
		ns = TIMER_MIN_NS;
	if (ns > TIMER_MAX_NS)
		ns = TIMER_MAX_NS;
	uint64_t counts = ((unsigned __int128)ns * counts_per_ns >> 32) + 1;
	apic_timer_start(at_ns == TIME_NEVER ? 0 : counts < UINT32_MAX ? (uint32_t)counts : UINT32_MAX);
}

void time_arm(uint64_t at_ns)
{
	if (!counts_per_ns)
		return;			/* it ticks anyway */
	unsigned long irq = cpu_irq_save();
	this_cpu()->timer_ns = at_ns;
	start_timer(at_ns);
	cpu_irq_restore(irq);
}

void timer_interrupt(const struct trap_frame *frame)
{
	struct arch_cpu *cpu = this_cpu();

	if (time_now_ns() < cpu->timer_ns) {
		start_timer(cpu->timer_ns);
		return;
	}
	cpu->timer_ns = TIME_NEVER;
	kernel_tick(from_user(frame) ? TICK_USER : TICK_KERNEL);
}

bool timer_each(void)
{
	return counts_per_ns != 0;
}
