/* abi/signal.h - Linux x86-64: signal numbers and structures. */
#pragma once
#include <stdint.h>

enum { SIGNALS = 64 };
#if !__STDC_HOSTED__
enum {
	SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM,
	SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS,
};
enum { SA_NOCLDSTOP = 1, SA_NOCLDWAIT = 2, SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000, SA_RESTART = 0x10000000,
	SA_NODEFER = 0x40000000, SA_RESETHAND = (int)0x80000000 };
enum { SI_USER = 0, SI_KERNEL = 0x80, SI_TKILL = -6, SI_TIMER = -2, SIGIO_IN = 1 /* POLL_IN */, SIGIO_OUT = 2, SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRALN = 1, BUS_ADRERR = 2,
	ILL_ILLOPN = 2, FPE_INTDIV = 1, FPE_FLTINV = 7, TRAP_BRKPT = 1, TRAP_TRACE = 2,
	CLD_EXITED = 1, CLD_KILLED = 2, CLD_DUMPED = 3, CLD_TRAPPED = 4, CLD_STOPPED = 5, CLD_CONTINUED = 6 };
#define SIG_DFL 0
#define SIG_IGN 1
#endif

struct sigaction64 { uint64_t handler, flags, restorer, mask; };

/* siginfo_t: 128 bytes. */
struct siginfo {
	int32_t signo, error, code, pad;
	union {
		struct { int32_t pid; uint32_t uid; int32_t status, pad; int64_t utime, stime; } child;	/* kill: pid, uid */
		struct { uint64_t addr; } fault;
		struct { int32_t timer, overrun; uint64_t value; } timer;
		struct { int64_t band; int32_t fd; } poll;
		uint8_t raw[112];
	};
};
_Static_assert(sizeof(struct siginfo) == 128, "siginfo_t has 128 bytes");
