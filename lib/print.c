/*
 * lib/print.c - formatted text, and the kernel's log.  See print.h.
 *
 * A number is written backwards into a small buffer and then laid out: sign or prefix, zeros, digits, blanks.  Output goes to a sink
 * that counts all bytes and keeps those that fit.
 *
 * Lock: console_lock (RANK_CONSOLE, interrupts off) keeps what one call sends whole, whichever processors send; a dying kernel does without it.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "arch/console.h"
#include "lib/sync.h"

struct sink {
	char *to;
	size_t size, length;		/* room; bytes so far, whether they fitted or not */
};

struct conversion {
	bool left, zero, plus, space, prefix;
	int width, precision;		/* precision -1: none given */
	int longs;			/* -2 hh, -1 h, 0, 1 l z t, 2 ll */
};

static void put(struct sink *s, char c)
{
	if (s->length + 1 < s->size)
		s->to[s->length] = c;
	s->length++;
}

static void put_many(struct sink *s, char c, int n)
{
	while (n-- > 0)
		put(s, c);
}

static void put_padded(struct sink *s, const struct conversion *c, const char *text, size_t n)
{
	int blanks = c->width > (int)n ? c->width - (int)n : 0;

	if (!c->left)
		put_many(s, ' ', blanks);
	for (size_t i = 0; i < n; i++)
		put(s, text[i]);
	if (c->left)
		put_many(s, ' ', blanks);
}

/* `sign` is what stands before the digits: "-", "+", " ", "0x" or nothing. */
static void put_number(struct sink *s, const struct conversion *c, unsigned long long value, unsigned base, const char *digits, const char *sign)
{
	char text[24];
	int n = 0, nsign = (int)strlen(sign);

	for (; value; value /= base)
		text[n++] = digits[value % base];
	int zeros = (c->precision >= 0 ? c->precision : 1) - n;
	if (c->precision < 0 && c->zero && !c->left && c->width - nsign - n > zeros)
		zeros = c->width - nsign - n;
	if (zeros < 0)
		zeros = 0;
	if (!c->left)
		put_many(s, ' ', c->width - nsign - zeros - n);
	while (*sign)
		put(s, *sign++);
	put_many(s, '0', zeros);
	for (int i = n; i > 0; i--)
		put(s, text[i - 1]);
	if (c->left)
		put_many(s, ' ', c->width - nsign - zeros - n);
}

/* Flags, width, precision and length; returns what follows. */
static const char *parse(const char *f, struct conversion *c, va_list *args)
{
	*c = (struct conversion){ .precision = -1 };
	for (;; f++) {
		if (*f == '-') c->left = true;
		else if (*f == '0') c->zero = true;
		else if (*f == '+') c->plus = true;
		else if (*f == ' ') c->space = true;
		else if (*f == '#') c->prefix = true;
		else break;
	}
	if (*f == '*') {
		f++;
		c->width = va_arg(*args, int);
		if (c->width < 0) {
			c->left = true;
			c->width = -c->width;
		}
	}
	while (*f >= '0' && *f <= '9')
		c->width = c->width * 10 + (*f++ - '0');
	if (*f == '.') {
		c->precision = 0;
		if (*++f == '*') {
			f++;
			c->precision = va_arg(*args, int);
		}
		while (*f >= '0' && *f <= '9')
			c->precision = c->precision * 10 + (*f++ - '0');
	}
	for (;; f++) {
		if (*f == 'h') c->longs--;
		else if (*f == 'l') c->longs++;
		else if (*f == 'z' || *f == 't') c->longs = 1;
		else return f;
	}
}

static long long signed_arg(const struct conversion *c, va_list *args)
{
	switch (c->longs) {
	case -2: return (signed char)va_arg(*args, int);
	case -1: return (short)va_arg(*args, int);
	case 0:  return va_arg(*args, int);
	case 1:  return va_arg(*args, long);
	default: return va_arg(*args, long long);
	}
}

static unsigned long long unsigned_arg(const struct conversion *c, va_list *args)
{
	switch (c->longs) {
	case -2: return (unsigned char)va_arg(*args, int);
	case -1: return (unsigned short)va_arg(*args, int);
	case 0:  return va_arg(*args, unsigned);
	case 1:  return va_arg(*args, unsigned long);
	default: return va_arg(*args, unsigned long long);
	}
}

static void convert(struct sink *s, char kind, struct conversion *c, va_list *args)
{
	switch (kind) {
	case 'd': case 'i': {
		long long v = signed_arg(c, args);
		put_number(s, c, v < 0 ? -(unsigned long long)v : (unsigned long long)v, 10, "0123456789",
			v < 0 ? "-" : c->plus ? "+" : c->space ? " " : "");
		break;
	}
	case 'u':
		put_number(s, c, unsigned_arg(c, args), 10, "0123456789", "");
		break;
	case 'o': {
		unsigned long long v = unsigned_arg(c, args);
		put_number(s, c, v, 8, "01234567", c->prefix && v ? "0" : "");
		break;
	}
	case 'x': case 'X': {
		unsigned long long v = unsigned_arg(c, args);
		put_number(s, c, v, 16, kind == 'x' ? "0123456789abcdef" : "0123456789ABCDEF", !c->prefix || !v ? "" : kind == 'x' ? "0x" : "0X");
		break;
	}
	case 'p':
		put_number(s, c, (uintptr_t)va_arg(*args, void *), 16, "0123456789abcdef", "0x");
		break;
	case 'c': {
		char letter = (char)va_arg(*args, int);
		put_padded(s, c, &letter, 1);
		break;
	}
	case 's': {
		const char *text = va_arg(*args, const char *);
		if (!text)
			text = "(null)";
		put_padded(s, c, text, strnlen(text, c->precision < 0 ? (size_t)-1 : (size_t)c->precision));
		break;
	}
	default:
		put(s, kind);
	}
}

int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
	struct sink s = { to, size, 0 };
	struct conversion c;
	va_list rest;

	va_copy(rest, args);		/* an array type on some machines: its address can be taken only of our own */
	while (*format) {
		if (*format != '%') {
			put(&s, *format++);
			continue;
		}
		format = parse(format + 1, &c, &rest);
		if (!*format)
			break;
		convert(&s, *format++, &c, &rest);
	}
	va_end(rest);
	if (size)
		to[s.length < size ? s.length : size - 1] = '\0';
	return (int)s.length;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(to, size, format, args);
	va_end(args);
	return n;
}

/* ---- the log --------------------------------------------------------------------------------------------------------------- */

static struct spinlock console_lock = SPINLOCK_INIT("console", RANK_CONSOLE);
static bool dying;			/* atomic; set once */

void kprintf_dying(void)
{
	__atomic_store_n(&dying, true, __ATOMIC_RELAXED);
}

void console_write(const char *bytes, size_t n)
{
	unsigned long irq = spin_lock_irq(&console_lock);
	console_put(bytes, n);
	spin_unlock_irq(&console_lock, irq);
}

/* A serial terminal wants a carriage return before each line feed. */
static void put_lines(const char *text)
{
	while (*text) {
		const char *end = strchr(text, '\n');
		size_t n = end ? (size_t)(end - text) : strlen(text);

		console_put(text, n);
		text += n;
		if (end) {
			console_put("\r\n", 2);
			text++;
		}
	}
}

void kvprintf(const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof text, format, args);
	if (__atomic_load_n(&dying, __ATOMIC_RELAXED)) {
		put_lines(text);
		return;
	}
	log_append(text, strlen(text));
	unsigned long irq = spin_lock_irq(&console_lock);
	put_lines(text);
	spin_unlock_irq(&console_lock, irq);
}

void kprintf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	kvprintf(format, args);
	va_end(args);
}
