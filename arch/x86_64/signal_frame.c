/*
 * arch/x86_64/signal_frame.c - signal frames, exactly as Linux lays them out on x86-64: handlers and unwinders read and change them.
 *
 * From the stack pointer upwards: return address, ucontext, siginfo; above, aligned to 64, the extended state in XSAVE format.  Its
 * software bytes say how long it is (magic numbers 1 in them and 2 behind the state), so that a program can tell it from FXSAVE's.
 *
 * What comes back is the program's word: only user-mode bits of the flags are taken, segments not at all, and extended state that the processor would
 * refuse is refused here.  The whole frame is read before any register changes.
 * (Format: Linux, uapi/asm/sigcontext.h and asm/ucontext.h.)
 */
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "arch/x86_64/traps.h"
#include "arch/x86_64/xstate.h"
#include "lib/string.h"

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, trapno, oldmask, cr2;
	uint64_t xstate;			/* user address; 0: none */
	uint64_t reserved[8];
};

struct ucontext {
	uint64_t flags, link;
	uint8_t altstack[24];
	struct sigcontext mcontext;
	uint64_t mask;
};

struct signal_frame {
	uint64_t return_address;
	struct ucontext uc;
	uint8_t siginfo[128];
};
_Static_assert(sizeof(struct signal_frame) == 440, "Linux's rt_sigframe");

enum { UC_XSTATE = 1, UC_SIGCONTEXT_SS = 2, UC_STRICT_SS = 4 };
enum { MAGIC2 = 0x46505845, MAGIC2_SIZE = 4, RED_ZONE = 128 };

static size_t frame_xstate_size(void)
{
	return cpu_features.xstate_size + (cpu_features.xsave ? MAGIC2_SIZE : 0);
}

/* Saves the extended state in the thread's own area, which nothing else uses while the thread runs, and copies it out. */
static int push_xstate(struct arch_thread *t, vaddr_t to)
{
	struct xstate *x = t->xstate;
	uint32_t magic2 = MAGIC2;

	unsigned long irq = cpu_irq_save();
	xstate_save(x);
	cpu_irq_restore(irq);
	memset(x->software, 0, sizeof x->software);
	if (cpu_features.xsave) {
		struct xstate_software sw = { .magic1 = XSTATE_MAGIC, .extended_size = (uint32_t)frame_xstate_size(), .features = cpu_features.xfeatures,
			.xstate_size = cpu_features.xstate_size };
		memcpy(x->software, &sw, sizeof sw);
		x->features |= 3;			/* Linux marks x87 and SSE as there, for programs that look */
		if (user_put(to + cpu_features.xstate_size, magic2) != 0)
			return -EFAULT;
	}
	return user_copy_out(to, x, cpu_features.xstate_size) ? -EFAULT : 0;
}

static struct sigcontext registers_out(const struct trap_frame *f, const struct signal_setup *s, vaddr_t xstate)
{
	return (struct sigcontext){ .r8 = f->r8, .r9 = f->r9, .r10 = f->r10, .r11 = f->r11, .r12 = f->r12, .r13 = f->r13, .r14 = f->r14,
		.r15 = f->r15, .rdi = f->rdi, .rsi = f->rsi, .rbp = f->rbp, .rbx = f->rbx, .rdx = f->rdx, .rax = f->rax, .rcx = f->rcx,
		.rsp = f->rsp, .rip = f->rip, .rflags = f->rflags, .cs = USER_CS, .ss = USER_DS, .error = s->hw_error, .trapno = s->trapno,
		.oldmask = s->mask, .cr2 = s->fault_addr, .xstate = xstate };
}

/* A handler starts with fresh extended state, as on Linux. */
static void load_fresh_xstate(struct arch_thread *t)
{
	unsigned long irq = cpu_irq_save();

	xstate_reset(t->xstate);
	xstate_load(t->xstate);
	cpu_irq_restore(irq);
}

/* Are the bits above the 47th all like it?  (Intel SDM volume 1, 3.3.7.1) */
static bool is_canonical(vaddr_t addr)
{
	return (vaddr_t)((int64_t)(addr << 16) >> 16) == addr;
}

int signal_frame_push(struct arch_thread *t, const struct signal_setup *s)
{
	struct trap_frame *f = thread_frame(t);
	struct signal_frame frame = { .return_address = s->restorer };
	vaddr_t top = s->stack_top ? s->stack_top : f->rsp - RED_ZONE;
	vaddr_t xstate = (top - frame_xstate_size()) & ~(vaddr_t)63;
	vaddr_t at = ((xstate - sizeof frame) & ~(vaddr_t)15) - 8;	/* as after a call */

	if (top >= USER_MAX || at >= top || !is_canonical(s->handler))
		return -EFAULT;			/* IRETQ to an address that is not canonical would fault in the kernel */
	frame.uc.flags = (cpu_features.xsave ? UC_XSTATE : 0) | UC_SIGCONTEXT_SS | UC_STRICT_SS;
	memcpy(frame.uc.altstack, s->altstack, sizeof frame.uc.altstack);
	memcpy(frame.siginfo, s->siginfo, sizeof frame.siginfo);
	frame.uc.mask = s->mask;
	frame.uc.mcontext = registers_out(f, s, xstate);
	if (push_xstate(t, xstate) != 0 || user_put(at, frame) != 0)
		return -EFAULT;

	load_fresh_xstate(t);
	f->rdi = (uint64_t)s->signo;
	f->rsi = at + offsetof(struct signal_frame, siginfo);
	f->rdx = at + offsetof(struct signal_frame, uc);
	f->rax = 0;
	f->rsp = at;
	f->rip = s->handler;
	f->cs = USER_CS;
	f->ss = USER_DS;
	f->rflags &= ~(uint64_t)(FLAG_DF | FLAG_RF | FLAG_TF);
	f->vector = VECTOR_REPLACED;
	return 0;
}

size_t signal_frame_size(void)
{
	return frame_xstate_size() + 63 + sizeof(struct signal_frame) + 15 + 8;
}

/* Reads the state at `from` into `x`, as much as the frame says there is. */
static int pop_xstate(struct xstate *x, vaddr_t from)
{
	struct xstate_software sw;
	uint32_t magic2;
	size_t size = FXSAVE_SIZE;

	if (!from) {
		xstate_reset(x);
		return 0;
	}
	if (user_copy_in(x, from, FXSAVE_SIZE) != 0)
		return -EFAULT;
	memcpy(&sw, x->software, sizeof sw);
	if (cpu_features.xsave && sw.magic1 == XSTATE_MAGIC && sw.xstate_size == cpu_features.xstate_size
	    && user_get(magic2, from + sw.xstate_size) == 0 && magic2 == MAGIC2) {
		size = cpu_features.xstate_size;
		if (user_copy_in(x, from, size) != 0)
			return -EFAULT;
	}
	return xstate_sane(x, size) ? 0 : -EFAULT;
}

static void registers_in(struct trap_frame *f, const struct sigcontext *c)
{
	*f = (struct trap_frame){ .r8 = c->r8, .r9 = c->r9, .r10 = c->r10, .r11 = c->r11, .r12 = c->r12, .r13 = c->r13, .r14 = c->r14,
		.r15 = c->r15, .rdi = c->rdi, .rsi = c->rsi, .rbp = c->rbp, .rbx = c->rbx, .rdx = c->rdx, .rax = c->rax, .rcx = c->rcx,
		.rsp = c->rsp, .rip = c->rip, .cs = USER_CS, .ss = USER_DS, .vector = VECTOR_REPLACED,
		.rflags = (c->rflags & USER_FLAGS) | FLAG_IF | FLAG_FIXED };
}

int signal_frame_pop(struct arch_thread *t, uint64_t *mask, void *altstack)
{
	uint8_t area[XSTATE_MAX] __attribute__((aligned(64)));
	struct trap_frame *f = thread_frame(t);
	struct ucontext uc;

	/* The handler's return has popped the return address. */
	if (user_get(uc, f->rsp) != 0 || uc.mcontext.rip >= USER_MAX || pop_xstate((struct xstate *)area, uc.mcontext.xstate) != 0)
		return -EFAULT;
	unsigned long irq = cpu_irq_save();
	memcpy(t->xstate, area, cpu_features.xstate_size);
	xstate_load(t->xstate);
	cpu_irq_restore(irq);
	registers_in(f, &uc.mcontext);
	*mask = uc.mask;
	memcpy(altstack, uc.altstack, sizeof uc.altstack);
	return 0;
}
