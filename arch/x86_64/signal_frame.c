/*
 * arch/x86_64/signal_frame.c - signal frames: what a handler finds on its stack, and what rt_sigreturn takes from there.
 *
 * Layout as on Linux x86-64 (struct rt_sigframe), which C libraries, debuggers and language run-times rely on; from low to high:
 *
 *	stack pointer	address of the restorer: the handler returns there
 *			ucontext: flags, link, stack, registers (sigcontext), signal mask
 *			siginfo
 *	64-aligned	extended state, as XSAVE writes it; in its bytes 464 to 511 how large it is, behind it a magic number
 *			red zone of 128 bytes, then whatever the program had
 *
 * Nothing that comes back is believed: segments and privileged flags are ours, addresses stay in user space, extended state is checked.
 */
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "arch/x86_64/frame.h"
#include "arch/x86_64/xstate.h"
#include "lib/string.h"

enum { RED_ZONE = 128, SIGINFO_SIZE = 128, STACK_T_SIZE = 24 };
enum { UC_XSTATE = 1, UC_SAVED_SS = 2, UC_STRICT_SS = 4 };
enum { MAGIC1 = 0x46505853, MAGIC2 = 0x46505845 };
enum { USER_FLAGS = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_TF | FLAG_DF | FLAG_OF | FLAG_RF | FLAG_AC };

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, trapno, oldmask, cr2;
	vaddr_t xstate;
	uint64_t reserved[8];
};

struct ucontext {
	uint64_t flags, link;
	uint8_t stack[STACK_T_SIZE];
	struct sigcontext regs;
	uint64_t mask;
};

struct rt_frame {
	vaddr_t restorer;
	struct ucontext uc;
	uint8_t siginfo[SIGINFO_SIZE];
};
_Static_assert(sizeof(struct sigcontext) == 256 && sizeof(struct rt_frame) == 440, "Linux's structures");

/* In the software bytes of an FXSAVE area. */
struct xstate_note { uint32_t magic1, extended_size; uint64_t features; uint32_t size, padding[7]; };

static int push_xstate(struct arch_thread *t, vaddr_t at)
{
	const uint32_t magic2 = MAGIC2;
	struct xstate_note note = { MAGIC1, cpu_features.xstate_size + (uint32_t)sizeof magic2, cpu_features.xfeatures, cpu_features.xstate_size, { 0 } };

	xstate_save(t->xstate);
	if (!cpu_features.xsave)
		return user_copy_out(at, t->xstate, XSTATE_LEGACY_SIZE) ? -EFAULT : 0;
	memcpy((char *)t->xstate + XSTATE_SOFTWARE, &note, sizeof note);
	if (user_copy_out(at, t->xstate, cpu_features.xstate_size) || user_put(at + cpu_features.xstate_size, magic2))
		return -EFAULT;
	return 0;
}

static void save_registers(struct sigcontext *to, const struct trap_frame *f)
{
	*to = (struct sigcontext){
		.r8 = f->r8, .r9 = f->r9, .r10 = f->r10, .r11 = f->r11, .r12 = f->r12, .r13 = f->r13, .r14 = f->r14, .r15 = f->r15,
		.rdi = f->rdi, .rsi = f->rsi, .rbp = f->rbp, .rbx = f->rbx, .rdx = f->rdx, .rax = f->rax, .rcx = f->rcx, .rsp = f->rsp,
		.rip = f->rip, .rflags = f->rflags, .cs = USER_CS, .ss = USER_DS,
	};
}

int signal_frame_push(struct arch_thread *t, const struct signal_setup *setup)
{
	struct trap_frame *f = thread_frame(t);
	size_t xstate_size = cpu_features.xstate_size + (cpu_features.xsave ? sizeof(uint32_t) : 0);
	vaddr_t top = setup->stack_top ? setup->stack_top : f->rsp - RED_ZONE;
	vaddr_t xstate = (top - xstate_size) & ~(vaddr_t)(XSTATE_ALIGN - 1);
	vaddr_t at = ((xstate - sizeof(struct rt_frame)) & ~(vaddr_t)15) - 8;		/* as after a call: 8 below a multiple of 16 */
	struct rt_frame frame = { .restorer = setup->restorer, .uc.flags = UC_SAVED_SS | UC_STRICT_SS | (cpu_features.xsave ? UC_XSTATE : 0) };

	if (top > USER_MAX || at > top)
		return -EFAULT;
	save_registers(&frame.uc.regs, f);
	frame.uc.regs.error = setup->hw_error;
	frame.uc.regs.trapno = setup->trapno;
	frame.uc.regs.oldmask = frame.uc.mask = setup->mask;
	frame.uc.regs.cr2 = setup->fault_addr;
	frame.uc.regs.xstate = xstate;
	memcpy(frame.uc.stack, setup->altstack, STACK_T_SIZE);
	memcpy(frame.siginfo, setup->siginfo, SIGINFO_SIZE);
	if (push_xstate(t, xstate) != 0 || user_put(at, frame))
		return -EFAULT;

	xstate_fresh(t->xstate);
	xstate_load(t->xstate);
	f->rdi = (uint64_t)setup->signo;
	f->rsi = at + offsetof(struct rt_frame, siginfo);
	f->rdx = at + offsetof(struct rt_frame, uc);
	f->rax = 0;
	f->rsp = at;
	f->rip = setup->handler;
	f->rflags &= ~(uint64_t)(FLAG_DF | FLAG_RF | FLAG_TF);
	f->vector = VECTOR_REPLACED;
	return 0;
}

/*
 * The extended state of a frame into the registers.  A frame without the marks of XSAVE has the 512 bytes of FXSAVE alone.
 * It is gathered in an area of its own: the copy may sleep, and the switch then saves the registers in the thread's.
 */
static int pop_xstate(struct arch_thread *t, vaddr_t at)
{
	char area[XSTATE_SIZE_MAX] __attribute__((aligned(XSTATE_ALIGN)));
	struct xstate_note note;
	uint32_t magic2 = 0;

	xstate_fresh(area);
	if (at) {
		bool whole = cpu_features.xsave && user_get(note, at + XSTATE_SOFTWARE) == 0 && note.magic1 == MAGIC1 &&
			note.size == cpu_features.xstate_size && user_get(magic2, at + note.size) == 0 && magic2 == MAGIC2;
		if (user_copy_in(area, at, whole ? cpu_features.xstate_size : XSTATE_LEGACY_SIZE))
			return -EFAULT;
		if (cpu_features.xsave && !whole)
			((struct xstate_header *)(area + XSTATE_LEGACY_SIZE))->present = XSTATE_LEGACY_COMPONENTS;
		if (!xstate_check(area))
			return -EFAULT;
	}
	memcpy(t->xstate, area, cpu_features.xstate_size);
	xstate_load(t->xstate);
	return 0;
}

static void load_registers(struct trap_frame *f, const struct sigcontext *from)
{
	f->r8 = from->r8, f->r9 = from->r9, f->r10 = from->r10, f->r11 = from->r11;
	f->r12 = from->r12, f->r13 = from->r13, f->r14 = from->r14, f->r15 = from->r15;
	f->rdi = from->rdi, f->rsi = from->rsi, f->rbp = from->rbp, f->rbx = from->rbx;
	f->rdx = from->rdx, f->rax = from->rax, f->rcx = from->rcx, f->rsp = from->rsp;
	f->rip = from->rip;
	f->rflags = (f->rflags & ~(uint64_t)USER_FLAGS) | (from->rflags & USER_FLAGS);
	f->cs = USER_CS;
	f->ss = USER_DS;
	f->vector = VECTOR_REPLACED;
}

int signal_frame_pop(struct arch_thread *t, uint64_t *mask, void *altstack)
{
	struct trap_frame *f = thread_frame(t);
	struct ucontext uc;

	if (user_get(uc, f->rsp - sizeof(vaddr_t) + offsetof(struct rt_frame, uc)) || uc.regs.rip >= USER_MAX)
		return -EFAULT;
	if (pop_xstate(t, uc.regs.xstate) != 0)
		return -EFAULT;
	load_registers(f, &uc.regs);
	*mask = uc.mask;
	memcpy(altstack, uc.stack, STACK_T_SIZE);
	return 0;
}
