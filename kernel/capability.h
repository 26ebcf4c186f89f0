/*
 * kernel/capability.h - what a process may do beyond what its user and group numbers allow: Linux's capabilities.
 *
 * They are those of all threads of a process, as its numbers are (kernel/process.h).  Rights to files go by the numbers alone: user 0 has all of them.
 */
#pragma once
#include "vm/types.h"

enum capability {
	CAP_DAC_READ_SEARCH = 2, CAP_KILL = 5, CAP_SETGID = 6, CAP_SETUID = 7, CAP_SETPCAP = 8, CAP_IPC_LOCK = 14, CAP_IPC_OWNER = 15, CAP_SYS_CHROOT = 18, CAP_SYS_PTRACE = 19, CAP_SYS_ADMIN = 21,
	CAP_SYS_BOOT = 22, CAP_SYS_NICE = 23, CAP_SYS_RESOURCE = 24, CAP_SYS_TIME = 25, CAP_SYSLOG = 34, CAP_WAKE_ALARM = 35, CAP_CHECKPOINT_RESTORE = 40, CAP_LAST = 40,
};
#define CAPABILITIES_ALL	(((uint64_t)1 << (CAP_LAST + 1)) - 1)

enum secure_bits {
	SECURE_NOROOT = 1, SECURE_NO_SETUID_FIXUP = 4, SECURE_KEEP_CAPS = 16, SECURE_KEEP_CAPS_LOCKED = 32, SECURE_NO_AMBIENT_RAISE = 64,
	SECURE_BITS = 0x55, SECURE_LOCKS = 0xaa,
};

/* Written under tree_lock by the process itself; single words are read without. */
struct capabilities { uint64_t inheritable, permitted, effective, bounding, ambient; unsigned secure; };

struct process;
/* Has the current process this one? */
bool capable(enum capability);
/* The first process has all. */
void capabilities_init(struct capabilities *);

/* User numbers, before and after a change: what that does to the capabilities.  tree_lock held. */
struct user_numbers { uint32_t real, effective, saved; };
void capabilities_follow(struct process *, const struct user_numbers *before);
/* execve: the process has the new program's numbers.  gained: a set-user-ID or set-group-ID bit gave them.  tree_lock held. */
void capabilities_exec(struct process *, bool gained);
/* The parts of prctl(2). */
long capability_prctl(int option, const unsigned long args[4]);
