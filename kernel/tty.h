/*
 * kernel/tty.h - terminals: the console's, and those of pseudo-terminals.
 *
 *	driver: what is typed -> line discipline -> queue -> read(2)
 *	                            | echo, signals
 *	write(2) -----------> output processing -> driver
 *
 *	tty.c           a terminal's files: opening, reading, writing, hang-up
 *	tty_line.c      the line discipline
 *	tty_ioctl.c     modes, window size;  tty_job.c  whose terminal it is, who is in the foreground
 *	tty_console.c   the driver of the serial console: /dev/console, /dev/ttyS0
 *	pty.c           pseudo-terminals: the driver is a program that has the other side, the master, open: /dev/ptmx, /dev/pts
 *
 * A terminal lives as long as it has a reference: each file has one, and so has what makes the other side (the console; a master's file).  A process that it controls has none: whoever
 * lets the last go has hung it up before.
 *
 * Locks: tty->lock (mutex, RANK_PIPE) guards modes, queue, output, and what the driver has of it; it is not held over copies from or to user memory.  session, foreground and
 * hangups belong to the process tree: tree_lock; hangups, a word, is looked at without.  Never both locks.  Signals are sent after tty->lock has been dropped.
 * Sleepers in `changed` look after wait_prepare; who changes something wakes them after it has.
 */
#pragma once
#include "abi/termios.h"
#include "kernel/process.h"

enum { TTY_QUEUE = 4096 };		/* bytes of input that nobody has read yet; a power of 2 */

struct tty;
/* tty->lock is held around all but `free`.  NULL: nothing is to be done. */
struct tty_driver {
	size_t (*room)(const struct tty *);		/* bytes that `write` takes now */
	void (*write)(struct tty *, const char *bytes, size_t n);
	void (*want_input)(struct tty *);		/* there may be room for it again */
	void (*tell)(struct tty *, unsigned packet);	/* TIOCPKT_*, for who wants to know */
	int (*may_open)(const struct tty *);		/* 0 or -errno */
	void (*free)(struct tty *);			/* the last reference has gone */
	uint32_t cflag_on, cflag_off;			/* what does not change */
	bool session_hangs_up;				/* its files are dead when the session leader exits */
};

struct tty {
	const struct tty_driver *driver;
	uint64_t device;		/* its number */
	unsigned refs;			/* atomic */
	struct mutex lock;
	struct termios2 modes, locked;	/* what is not 0 in the second does not change in the first */
	struct winsize size;
	struct waitq changed;		/* anything has: input, room for output, an end */

	/* Positions count up for ever; what was typed lies in queue[position % TTY_QUEUE]; tail <= line <= head. */
	unsigned tail, line, head;	/* next to read; end of the last complete line; next free */
	uint8_t queue[TTY_QUEUE];
	uint8_t ends[TTY_QUEUE / 8];	/* a bit for each place: a line ends here; with byte 0: by end-of-file */
	unsigned column;		/* where the cursor is */
	unsigned line_column;		/* where it was when the unfinished line began */
	bool literal_next;		/* LNEXT was typed */
	bool output_stopped;		/* STOP was typed, or tcflow */
	struct thread *writer;		/* who is in the middle of a write, which others wait for; or NULL */
	bool writer_awaited;
	unsigned opens;			/* files of it */
	bool was_open;			/* ever */
	bool exclusive;			/* root alone may open it once more */
	bool gone;			/* nobody is on the other side any more */

	pid_type session, foreground;	/* whose controlling terminal it is (0: nobody's); the group in the foreground */
	unsigned hangups;		/* files opened before the last one are dead */
};

/* ---- tty.c ---- */
/* An operator's view: a terminal as it is when it is new, with one reference. */
void tty_init(struct tty *, const struct tty_driver *, uint64_t device);
void tty_put(struct tty *);
/* For open(2) of a device: the file is one of this terminal's, whose reference it takes over if it succeeds; -EIO, -EBUSY. */
enum tty_life { TTY_HANGS_UP, TTY_NEVER_HANGS_UP };
int tty_open(struct file *, struct tty *, enum tty_life);
ssize tty_read(struct file *, struct uio *, uint64_t *pos);
ssize tty_write(struct file *, struct uio *, uint64_t *pos);
unsigned tty_poll(struct file *, struct waitq **);
long tty_file_ioctl(struct file *, unsigned command, unsigned long arg);
void tty_release(struct file *);
#define TTY_OPS(open_) { .open = open_, .read = tty_read, .write = tty_write, .ioctl = tty_file_ioctl, .seek = file_no_seek, .poll = tty_poll, \
	.release = tty_release }
struct tty *tty_of(const struct file *);
bool tty_hung_up(const struct file *);
/* Takes one byte that was typed, of which a signal may come for the foreground; tty->lock is held, and dropped meanwhile. */
void tty_type(struct tty *, uint8_t byte);
/* /dev/tty. */
void tty_init_controlling(void);

/* ---- tty_line.c; all: tty->lock held ---- */
/* Takes one typed byte; returns the signal that it means, or 0. */
int tty_input(struct tty *, uint8_t byte);
bool tty_input_full(const struct tty *);		/* nothing may be typed until something is read */
/* Input that can be read now; in canonical mode counted to the end of the last complete line, end-of-file marks included. */
size_t tty_available(const struct tty *);
/* Takes up to n bytes; stops behind the end of a line in canonical mode, and says so. */
size_t tty_take(struct tty *, char *to, size_t n, bool *line_ended);
void tty_flush_input(struct tty *);
void tty_stop_output(struct tty *, bool stop);
void tty_set_modes(struct tty *, const struct termios2 *);
/* With output processing (OPOST): how many bytes there was room for. */
size_t tty_output(struct tty *, const char *bytes, size_t n);
bool tty_output_full(struct tty *);
static inline void tty_tell(struct tty *t, unsigned packet) { if (t->driver->tell) t->driver->tell(t, packet); }
static inline void tty_want_input(struct tty *t) { if (t->driver->want_input) t->driver->want_input(t); }

/* ---- tty_ioctl.c ---- */
/* A terminal's own file, or that of a master, who is not bound by the rules of the terminal's jobs. */
enum tty_side { TTY_SLAVE, TTY_MASTER };
long tty_ioctl(struct file *, struct tty *, enum tty_side, unsigned command, unsigned long arg);

/* ---- tty_job.c; all take tree_lock ---- */
/* A background process wants to read, or to write or change modes: 0: it may; -EIO; -EINTR: SIGTTIN or SIGTTOU has been sent. */
int tty_check_read(struct tty *);
int tty_check_change(struct tty *);
void tty_signal_foreground(struct tty *, int signo);
/* For open(2): the session leader without a terminal gets this one. */
void tty_adopt(struct file *, struct tty *);
/* All files of it that are open are dead, its session loses it, and the session's leader is told by SIGHUP and SIGCONT. */
void tty_hang_up(struct tty *);
/* A process exits, or gives its terminal up (TIOCNOTTY): if it leads its session, the session loses the terminal, and the foreground is told. */
enum tty_leave { TTY_LEADER_EXITS, TTY_LEADER_GIVES_UP };
void tty_session_ends(struct process *leader, enum tty_leave);
/* The calling process's, referenced; NULL: none. */
struct tty *tty_controlling(void);
/* TIOCSCTTY, TIOCNOTTY, TIOCSPGRP, TIOCGPGRP, TIOCGSID. */
long tty_set_controlling(struct file *, struct tty *, unsigned long arg);
long tty_give_up_controlling(struct tty *);
long tty_set_foreground(struct tty *, vaddr_t from);
enum tty_id { TTY_FOREGROUND, TTY_SESSION };
long tty_get_id(struct tty *, enum tty_side, enum tty_id, vaddr_t to);

/* ---- tty_console.c, pty.c: at boot ---- */
void console_tty_init(void);
void pty_init(void);
struct mount *pty_mount(void);		/* /dev/pts; NULL: no memory */
