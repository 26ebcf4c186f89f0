/* abi/termios.h - Linux x86-64: terminal modes, window size, and the ioctl numbers of terminals. */
#pragma once
#include <stdint.h>

enum { TERMIOS_CHARS = 19 };
struct termios2 {			/* struct termios is the part before ispeed */
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[TERMIOS_CHARS];
	uint32_t ispeed, ospeed;
};
_Static_assert(sizeof(struct termios2) == 44, "struct termios2 has 44 bytes");
enum { TERMIOS_SIZE = 36 };
/* What System V had: the low halves of the flags, the first characters. */
enum { TERMIO_CHARS = 8 };
struct termio { uint16_t iflag, oflag, cflag, lflag; uint8_t line, cc[TERMIO_CHARS]; };

struct winsize { uint16_t rows, columns, xpixel, ypixel; };

enum { VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSWTC, VSTART, VSTOP, VSUSP, VEOL, VREPRINT, VDISCARD, VWERASE, VLNEXT, VEOL2 };
enum { PARMRK = 010, ISTRIP = 040, INLCR = 0100, IGNCR = 0200, ICRNL = 0400, IUCLC = 01000, IXON = 02000, IXANY = 04000, IMAXBEL = 020000, IUTF8 = 040000 };
enum { OPOST = 1, OLCUC = 2, ONLCR = 4, OCRNL = 010, ONOCR = 020, ONLRET = 040, XTABS = 014000 };
enum { CBAUD = 010017, BOTHER = 010000, B38400 = 017, B115200 = 010002, CSIZE = 060, CS8 = 060, CREAD = 0200, PARENB = 0400, HUPCL = 02000, CLOCAL = 04000 };
enum { ISIG = 1, ICANON = 2, ECHO = 010, ECHOE = 020, ECHOK = 040, ECHONL = 0100, NOFLSH = 0200, TOSTOP = 0400, ECHOCTL = 01000, ECHOKE = 04000,
	IEXTEN = 0100000 };

enum {
	TCGETS = 0x5401, TCSETS, TCSETSW, TCSETSF, TCGETA, TCSETA, TCSETAW, TCSETAF, TCSBRK, TCXONC, TCFLSH, TIOCEXCL, TIOCNXCL, TIOCSCTTY, TIOCGPGRP, TIOCSPGRP, TIOCOUTQ, TIOCSTI,
	TIOCGWINSZ, TIOCSWINSZ, TIOCMGET, FIONREAD = 0x541b, TIOCPKT = 0x5420, TIOCNOTTY = 0x5422, TIOCSETD, TIOCGETD, TCSBRKP, TIOCGSID = 0x5429,
	TIOCVHANGUP = 0x5437, TIOCGPTPEER = 0x5441,
	TCSETS2 = 0x402c542b, TCSETSW2, TCSETSF2, TIOCSPTLCK = 0x40045431, TIOCSIG = 0x40045436,
};
#define TIOCGLCKTRMIOS	0x5456
#define TIOCSLCKTRMIOS	0x5457
#define TCGETS2		0x802c542au
#define TIOCGPTN	0x80045430u
#define TIOCGDEV	0x80045432u
#define TIOCGPKT	0x80045438u
#define TIOCGPTLCK	0x80045439u
#define TIOCGEXCL	0x80045440u
/* What a master in packet mode is told. */
enum { TIOCPKT_DATA, TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE, TIOCPKT_STOP = 4, TIOCPKT_START = 8, TIOCPKT_NOSTOP = 16, TIOCPKT_DOSTOP = 32 };
enum { TCOOFF, TCOON, TCIOFF, TCION };		/* TCXONC */
enum { TCIFLUSH, TCOFLUSH, TCIOFLUSH };		/* TCFLSH */
