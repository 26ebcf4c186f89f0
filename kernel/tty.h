/*
 * kernel/tty.h - the terminal on the serial console: /dev/console, /dev/ttyS0 and, for those it controls, /dev/tty.
 *
 *	console interrupt -> ring of received bytes -> the terminal's thread -> line discipline -> queue -> read(2)
 *	                                                       | echo, signals
 *	write(2) ----------------------------------> output processing -> console
 *
 * Locks: tty->lock (mutex, RANK_PIPE) guards modes, queue and output; it is not held over copies from or to user memory.  session, foreground and
 * hangups belong to the process tree: tree_lock; hangups, a word, is looked at without.  Signals are sent after tty->lock has been dropped.
 * Sleepers in `changed` look after wait_prepare; who changes something wakes them after it has.
 */
#pragma once
#include "abi/termios.h"
#include "kernel/process.h"

enum { TTY_QUEUE = 4096 };		/* bytes of input that nobody has read yet; a power of 2 */

struct tty {
	struct mutex lock;
	struct termios2 modes;
	struct winsize size;
	struct waitq changed;		/* input has come, output may go on, a hang-up */

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

	pid_type session, foreground;	/* whose controlling terminal it is (0: nobody's); the group in the foreground */
	unsigned hangups;		/* files opened before the last one are dead */
};

/* Registers the devices and starts the thread; input is taken from then on. */
void tty_init(void);
/* A process exits, or gives its terminal up: if it leads its session, the session loses the terminal, with a hang-up.  Takes tree_lock. */
void tty_session_ends(struct process *leader);
/* Its device number, for /proc/PID/stat; 0 for NULL. */
uint64_t tty_device(const struct tty *);

/* kernel/tty_line.c, the line discipline; all: tty->lock held. */
/* Takes one typed byte; returns the signal that it means, or 0. */
int tty_input(struct tty *, uint8_t byte);
bool tty_input_full(const struct tty *);		/* nothing may be typed until something is read */
/* Input that can be read now; in canonical mode counted to the end of the last complete line, end-of-file marks included. */
size_t tty_available(const struct tty *);
/* Takes up to n bytes; stops behind the end of a line in canonical mode, and says so. */
size_t tty_take(struct tty *, char *to, size_t n, bool *line_ended);
void tty_flush_input(struct tty *);
void tty_set_modes(struct tty *, const struct termios2 *);
/* With output processing (OPOST). */
void tty_output(struct tty *, const char *bytes, size_t n);

/* There may be room for input again, after it has been read or thrown away. */
void tty_want_input(void);

/* Whose file it is. */
struct tty *tty_of(const struct file *);

/* kernel/tty_ioctl.c */
long tty_ioctl(struct file *, unsigned command, unsigned long arg);
/* A background process wants to write or change modes: 0: it may; -EIO; -EINTR: SIGTTOU has been sent. */
int tty_check_change(struct tty *);
int tty_check_read(struct tty *);
/* For open(2): the session leader without a terminal gets this one. */
void tty_adopt(struct tty *);
