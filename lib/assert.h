/*
 * lib/assert.h - what must hold.
 *
 * assert() costs nothing in release builds (NDEBUG); user input never reaches one.
 * panic() prints the reason, registers and a back-trace, and stops the machine; on the host it aborts.
 */
#pragma once
void panic(const char *format, ...) __attribute__((noreturn, cold, format(printf, 1, 2)));

#undef assert
#ifdef NDEBUG
#define assert(what) ((void)sizeof(what))
#else
#define assert(what) ((what) ? (void)0 : panic("%s:%d: %s: assertion failed: %s", __FILE__, __LINE__, __func__, #what))
#endif
