/* kernel/system.h - what the machine is called; for uname and /proc/sys/kernel. */
#pragma once

enum { SYSTEM_NAME_SIZE = 65 };			/* with the NUL */

#define SYSTEM_OS	"Linux"			/* programs test for it */
#define SYSTEM_RELEASE	"6.1.0-faultline"
#define SYSTEM_VERSION	"#1 Faultline"
#define SYSTEM_MACHINE	"x86_64"

enum system_name { SYSTEM_HOST, SYSTEM_DOMAIN };
void system_get_name(enum system_name, char to[SYSTEM_NAME_SIZE]);
void system_set_name(enum system_name, const char *name, unsigned long len);	/* len < SYSTEM_NAME_SIZE */
/* The kernel's command line, as given (kernel/main.c). */
const char *system_cmdline(void);
