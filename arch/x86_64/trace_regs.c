/*
 * arch/x86_64/trace_regs.c - the registers of a stopped thread, for its tracer: see arch/trace.h.  (Layouts: Linux, asm/user_64.h, asm/ptrace.h.)
 */
#include "arch/trace.h"
#include "arch/thread.h"
#include "arch/x86_64/traps.h"
#include "arch/x86_64/x86.h"
#include "arch/x86_64/xstate.h"
#include "lib/string.h"

enum { AUDIT_ARCH_X86_64 = (int)0xc000003e };

/* struct user_regs_struct */
struct general {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, rflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};
_Static_assert(sizeof(struct general) == 216, "user_regs_struct has 27 registers");

void frame_set_step(struct trap_frame *f, bool on)
{
	f->rflags = on ? f->rflags | FLAG_TF : f->rflags & ~(uint64_t)FLAG_TF;
}

size_t registers_size(enum register_set set)
{
	switch (set) {
	case REGISTERS_GENERAL:	 return sizeof(struct general);
	case REGISTERS_FLOAT:	 return FXSAVE_SIZE;
	case REGISTERS_EXTENDED: return cpu_features.xsave ? cpu_features.xstate_size : 0;
	}
	return 0;
}

static struct general general_out(struct arch_thread *t)
{
	const struct trap_frame *f = thread_frame(t);
	return (struct general){ .r15 = f->r15, .r14 = f->r14, .r13 = f->r13, .r12 = f->r12, .rbp = f->rbp, .rbx = f->rbx, .r11 = f->r11, .r10 = f->r10, .r9 = f->r9,
		.r8 = f->r8, .rax = f->rax, .rcx = f->rcx, .rdx = f->rdx, .rsi = f->rsi, .rdi = f->rdi,
		.orig_rax = f->vector == VECTOR_SYSCALL ? f->error : (uint64_t)-1, .rip = f->rip, .cs = f->cs, .rflags = f->rflags, .rsp = f->rsp, .ss = f->ss,
		.fs_base = t->fs_base, .gs_base = t->gs_base };
}

/* Of the segments only what they are anyway; a call whose number is taken away is none any more. */
static int general_in(struct arch_thread *t, const struct general *g)
{
	struct trap_frame *f = thread_frame(t);
	if (g->cs != USER_CS || g->ss != USER_DS || g->fs_base >= USER_MAX || g->gs_base >= USER_MAX || g->rip >= USER_MAX)
		return -EIO;
	const bool in_call = f->vector == VECTOR_SYSCALL && (int64_t)g->orig_rax >= 0;
	*f = (struct trap_frame){ .r15 = g->r15, .r14 = g->r14, .r13 = g->r13, .r12 = g->r12, .rbp = g->rbp, .rbx = g->rbx, .r11 = g->r11, .rcx = g->rcx, .rax = g->rax,
		.rdi = g->rdi, .rsi = g->rsi, .rdx = g->rdx, .r10 = g->r10, .r8 = g->r8, .r9 = g->r9, .vector = in_call ? VECTOR_SYSCALL : VECTOR_REPLACED,
		.error = g->orig_rax, .rip = g->rip, .cs = USER_CS, .rflags = (g->rflags & USER_FLAGS) | FLAG_IF | FLAG_FIXED, .rsp = g->rsp, .ss = USER_DS };
	t->fs_base = g->fs_base;
	t->gs_base = g->gs_base;
	return 0;
}

void registers_get(struct arch_thread *t, enum register_set set, void *to)
{
	if (set == REGISTERS_GENERAL) {
		const struct general g = general_out(t);
		memcpy(to, &g, sizeof g);
		return;
	}
	memcpy(to, t->xstate, registers_size(set));
	struct xstate_software sw = { .magic1 = 0 };
	memcpy(&sw, &cpu_features.xfeatures, sizeof cpu_features.xfeatures);		/* where debuggers look for what there is */
	if (set == REGISTERS_EXTENDED)
		memcpy(((struct xstate *)to)->software, &sw, sizeof sw);
}

int registers_put(struct arch_thread *t, enum register_set set, const void *from, size_t n)
{
	if (set == REGISTERS_GENERAL) {
		struct general g = general_out(t);
		memcpy(&g, from, n < sizeof g ? n : sizeof g);
		return general_in(t, &g);
	}
	uint8_t area[XSTATE_MAX] __attribute__((aligned(64)));
	struct xstate *x = (struct xstate *)area;
	struct xstate_software sw = { .magic1 = XSTATE_MAGIC };
	memcpy(area, t->xstate, cpu_features.xstate_size);
	memcpy(area, from, n);
	memcpy(x->software, &sw, sizeof sw);
	if (set == REGISTERS_FLOAT && cpu_features.xsave)
		x->features |= 3;
	if (!xstate_sane(x, cpu_features.xstate_size))
		return -EINVAL;
	memcpy(t->xstate, area, cpu_features.xstate_size);
	return 0;
}

void registers_call(struct arch_thread *t, struct call_state *c)
{
	const struct trap_frame *f = thread_frame(t);
	*c = (struct call_state){ .ip = f->rip, .sp = f->rsp, .number = f->error, .args = { f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9 }, .result = (int64_t)f->rax,
		.arch = (uint32_t)AUDIT_ARCH_X86_64 };
}
