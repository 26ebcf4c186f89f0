/*
 * kernel/tty_line.c - the line discipline: what typed bytes mean, their echo, and output processing.
 *
 * In canonical mode (ICANON) the queue's end is a line that is being edited; it becomes readable when it is ended by a newline, EOL,
 * EOL2 or EOF.  The end is marked in `ends`; an end-of-file is a marked byte 0, which the reader does not see.  In raw mode every byte
 * is readable at once.
 *
 * What an echo finds no room for is lost: who types does not wait for who reads the output.
 *
 * What the rules are: POSIX, General Terminal Interface; where it leaves freedom, what Linux does.
 */
#include "kernel/tty.h"
#include "lib/print.h"
#include "lib/string.h"

enum { TAB_STOP = 8, DELETE = 0x7f };

static bool on(const struct tty *t, unsigned lflag) { return t->modes.lflag & lflag; }
static bool is(const struct tty *t, uint8_t c, unsigned which) { return c && c == t->modes.cc[which]; }	/* 0: not in use */
static bool is_control(uint8_t c) { return c < ' ' || c == DELETE; }
static bool is_continuation(const struct tty *t, uint8_t c) { return (t->modes.iflag & IUTF8) && (c & 0xc0) == 0x80; }
static bool is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

/* ---- output --------------------------------------------------------------------- */

/* One byte of output becomes up to 8 (a tab); returns how many. */
static size_t process(struct tty *t, uint8_t c, char to[TAB_STOP])
{
	unsigned oflag = t->modes.oflag;
	size_t n = 0;

	switch (c) {
	case '\n':
		if (oflag & ONLRET)
			t->column = 0;
		if (oflag & ONLCR) {
			to[n++] = '\r';
			t->column = 0;
		}
		break;
	case '\r':
		if ((oflag & ONOCR) && t->column == 0)
			return 0;
		if (oflag & OCRNL)
			c = '\n';
		if (c == '\r' || (oflag & ONLRET))
			t->column = 0;
		break;
	case '\t': {
		unsigned spaces = TAB_STOP - t->column % TAB_STOP;
		t->column += spaces;
		if ((oflag & XTABS) == XTABS) {
			memset(to, ' ', spaces);
			return spaces;
		}
		break;
	}
	case '\b':
		if (t->column > 0)
			t->column--;
		break;
	default:
		if (oflag & OLCUC && c >= 'a' && c <= 'z')
			c = (uint8_t)(c - 'a' + 'A');
		if (!is_control(c) && !is_continuation(t, c))
			t->column++;
	}
	to[n++] = (char)c;
	return n;
}

size_t tty_output(struct tty *t, const char *bytes, size_t n)
{
	char out[128];
	size_t used = 0, room = t->driver->room(t), i;

	if (!(t->modes.oflag & OPOST)) {
		n = n < room ? n : room;
		t->driver->write(t, bytes, n);
		return n;
	}
	for (i = 0; i < n && room >= TAB_STOP; i++) {
		size_t more = process(t, (uint8_t)bytes[i], out + used);
		used += more;
		room -= more;
		if (used > sizeof out - TAB_STOP) {
			t->driver->write(t, out, used);
			used = 0;
		}
	}
	t->driver->write(t, out, used);
	return i;
}

bool tty_output_full(struct tty *t)
{
	return t->driver->room(t) < TAB_STOP;
}

/* ---- echo ------------------------------------------------------------------------- */

static void put(struct tty *t, const char *s) { tty_output(t, s, strlen(s)); }

/* A typed byte as it is shown: control characters as ^X. */
static void show(struct tty *t, uint8_t c)
{
	if (on(t, ECHOCTL) && is_control(c) && c != '\t' && c != '\n') {
		char shown[2] = { '^', (char)(c ^ 0x40) };
		tty_output(t, shown, sizeof shown);
	} else {
		char shown = (char)c;
		tty_output(t, &shown, 1);
	}
}

static uint8_t at(const struct tty *t, unsigned position) { return t->queue[position % TTY_QUEUE]; }

/* Columns from the last tab, or the start of the line, to its present end: where the cursor is before a tab that has been deleted. */
static unsigned columns_before(const struct tty *t)
{
	unsigned columns = 0, i = t->head;
	while (i != t->line) {
		uint8_t c = at(t, --i);
		if (c == '\t')
			return columns;
		if (is_control(c))
			columns += on(t, ECHOCTL) ? 2 : 0;
		else if (!is_continuation(t, c))
			columns++;
	}
	return columns + t->line_column;
}

/* The byte or sequence that began with c has been deleted: take it off the screen. */
static void unshow(struct tty *t, uint8_t c)
{
	if (c == '\t') {
		for (unsigned n = TAB_STOP - columns_before(t) % TAB_STOP; n > 0; n--)
			put(t, "\b");
		return;
	}
	if (is_control(c) && !on(t, ECHOCTL))
		return;
	put(t, is_control(c) ? "\b \b\b \b" : "\b \b");
}

/* ---- editing ------------------------------------------------------------------------ */

/* Deletes the last character of the unfinished line, all bytes of it; it is shown or not as ECHO says. */
static void delete_last(struct tty *t)
{
	uint8_t c;
	do
		c = at(t, --t->head);
	while (is_continuation(t, c) && t->head != t->line);
	if (on(t, ECHO))
		unshow(t, c);
}

static void erase(struct tty *t, uint8_t typed)
{
	if (t->head == t->line)
		return;
	if (on(t, ECHO) && !on(t, ECHOE)) {
		unsigned echo = t->modes.lflag & ECHO;
		t->modes.lflag &= ~echo;
		delete_last(t);
		t->modes.lflag |= echo;
		show(t, typed);
		return;
	}
	delete_last(t);
}

static void erase_word(struct tty *t)
{
	bool in_word = false;
	while (t->head != t->line) {
		uint8_t c = at(t, t->head - 1);
		if (!is_word(c) && in_word)
			break;
		in_word |= is_word(c);
		delete_last(t);
	}
}

static void erase_line(struct tty *t, uint8_t typed)
{
	if (on(t, ECHO) && on(t, ECHOE) && on(t, ECHOK) && on(t, ECHOKE)) {
		while (t->head != t->line)
			delete_last(t);
		return;
	}
	t->head = t->line;
	if (on(t, ECHO)) {
		show(t, typed);
		if (on(t, ECHOK))
			put(t, "\n");
	}
}

static void reprint(struct tty *t, uint8_t typed)
{
	show(t, typed);
	put(t, "\n");
	for (unsigned i = t->line; i != t->head; i++)
		show(t, at(t, i));
}

/* ---- the queue ------------------------------------------------------------------------ */

static void set_end(struct tty *t, unsigned position, bool ends)
{
	uint8_t bit = (uint8_t)(1u << position % 8), *byte = &t->ends[position % TTY_QUEUE / 8];
	*byte = (uint8_t)(ends ? *byte | bit : *byte & ~bit);
}

static bool ends_line(const struct tty *t, unsigned position)
{
	return t->ends[position % TTY_QUEUE / 8] & 1u << position % 8;
}

enum stored { STORED_PLAIN, STORED_END };

/* One place is kept for the end of a line, so that a line that is too long can still be ended. */
static bool store(struct tty *t, uint8_t c, enum stored how)
{
	unsigned room = TTY_QUEUE - (t->head - t->tail);
	if (room == 0 || (room == 1 && how == STORED_PLAIN))
		return false;
	t->queue[t->head % TTY_QUEUE] = c;
	set_end(t, t->head, how == STORED_END);
	t->head++;
	if (how == STORED_END || !on(t, ICANON))
		t->line = t->head;
	return true;
}

static void end_line(struct tty *t, uint8_t c)
{
	if (!store(t, c, STORED_END))
		put(t, "\a");
}

bool tty_input_full(const struct tty *t)
{
	return (!on(t, ICANON) || t->tail != t->line) && TTY_QUEUE - (t->head - t->tail) <= 1;
}

size_t tty_available(const struct tty *t)
{
	return t->line - t->tail;
}

size_t tty_take(struct tty *t, char *to, size_t n, bool *line_ended)
{
	size_t taken = 0;
	*line_ended = false;
	while (t->tail != t->line) {
		bool end = on(t, ICANON) && ends_line(t, t->tail);
		uint8_t c = at(t, t->tail);
		bool end_of_file = end && c == 0;
		if (!end_of_file) {
			if (taken == n)
				break;
			to[taken++] = (char)c;
		}
		t->tail++;
		if (end) {
			*line_ended = true;
			break;
		}
	}
	return taken;
}

void tty_flush_input(struct tty *t)
{
	t->tail = t->line = t->head;
	tty_tell(t, TIOCPKT_FLUSHREAD);
}

void tty_stop_output(struct tty *t, bool stop)
{
	if (t->output_stopped == stop)
		return;
	t->output_stopped = stop;
	tty_tell(t, stop ? TIOCPKT_STOP : TIOCPKT_START);
}

/* Is output stopped and started by the usual characters? */
static bool usual_flow(const struct termios2 *m)
{
	return m->iflag & IXON && m->cc[VSTOP] == 023 && m->cc[VSTART] == 021;
}

/* When ICANON changes, what is in the queue becomes readable as it is: one last line without an end. */
void tty_set_modes(struct tty *t, const struct termios2 *modes)
{
	bool toggled = (t->modes.lflag ^ modes->lflag) & ICANON, flow = usual_flow(modes);
	if (flow != usual_flow(&t->modes))
		tty_tell(t, flow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
	t->modes = *modes;
	t->modes.cflag = (modes->cflag & ~t->driver->cflag_off) | t->driver->cflag_on;
	if (toggled) {
		memset(t->ends, 0, sizeof t->ends);
		if (t->head != t->tail)
			set_end(t, t->head - 1, true);
		t->line = t->head;
		t->literal_next = false;
	}
	if (!(modes->iflag & IXON))
		tty_stop_output(t, false);
}

/* ---- input ------------------------------------------------------------------------------ */

static int signal_of(const struct tty *t, uint8_t c)
{
	if (!on(t, ISIG))
		return 0;
	return is(t, c, VINTR) ? SIGINT : is(t, c, VQUIT) ? SIGQUIT : is(t, c, VSUSP) ? SIGTSTP : 0;
}

static bool flow_control(struct tty *t, uint8_t c)
{
	if (!(t->modes.iflag & IXON))
		return false;
	if (is(t, c, VSTART))
		tty_stop_output(t, false);
	else if (is(t, c, VSTOP))
		tty_stop_output(t, true);
	else
		return false;
	return true;
}

/* Bytes that edit or end the line. */
static bool edit(struct tty *t, uint8_t c)
{
	if (is(t, c, VERASE)) {
		erase(t, c);
	} else if (is(t, c, VKILL)) {
		erase_line(t, c);
	} else if (is(t, c, VWERASE) && on(t, IEXTEN)) {
		erase_word(t);
	} else if (is(t, c, VLNEXT) && on(t, IEXTEN)) {
		t->literal_next = true;
		if (on(t, ECHO) && on(t, ECHOCTL))
			put(t, "^\b");
	} else if (is(t, c, VREPRINT) && on(t, ECHO) && on(t, IEXTEN)) {
		reprint(t, c);
	} else if (c == '\n') {
		if (on(t, ECHO) || on(t, ECHONL))
			put(t, "\n");
		end_line(t, c);
	} else if (is(t, c, VEOF)) {
		end_line(t, 0);
	} else if (is(t, c, VEOL) || (is(t, c, VEOL2) && on(t, IEXTEN))) {
		if (on(t, ECHO))
			show(t, c);
		end_line(t, c);
	} else {
		return false;
	}
	return true;
}

/* An ordinary byte: echo, and into the queue. */
static void accept(struct tty *t, uint8_t c)
{
	if (t->head == t->line)
		t->line_column = t->column;
	bool doubled = c == 0xff && (t->modes.iflag & PARMRK);
	if (!store(t, c, STORED_PLAIN) || (doubled && !store(t, c, STORED_PLAIN))) {
		if (t->modes.iflag & IMAXBEL)
			put(t, "\a");
		return;
	}
	if (!on(t, ECHO))
		return;
	if (c == '\n')
		put(t, "\n");
	else
		show(t, c);
}

int tty_input(struct tty *t, uint8_t c)
{
	unsigned iflag = t->modes.iflag;

	if (iflag & ISTRIP)
		c &= 0x7f;
	if (iflag & IUCLC && on(t, IEXTEN) && c >= 'A' && c <= 'Z')
		c = (uint8_t)(c - 'A' + 'a');
	if (t->literal_next) {
		t->literal_next = false;
		accept(t, c);
		return 0;
	}
	if (flow_control(t, c))
		return 0;
	int signo = signal_of(t, c);
	if (signo) {
		if (!on(t, NOFLSH)) {
			tty_tell(t, TIOCPKT_FLUSHWRITE);
			tty_flush_input(t);
		}
		tty_stop_output(t, false);
		if (on(t, ECHO))
			show(t, c);
		return signo;
	}
	if (iflag & IXANY)
		tty_stop_output(t, false);
	if (c == '\r') {
		if (iflag & IGNCR)
			return 0;
		if (iflag & ICRNL)
			c = '\n';
	} else if (c == '\n' && (iflag & INLCR)) {
		c = '\r';
	}
	if (!on(t, ICANON) || !edit(t, c))
		accept(t, c);
	return 0;
}
