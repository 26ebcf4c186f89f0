/*
 * kernel/main.c - from the boot loader's hand-over to the first program.
 *
 * kernel_main starts the parts, bottom up, on the boot stack, which then becomes the idle thread.  What may sleep (mounting, the
 * first exec) is done by the first process, in the kernel, before it becomes /sbin/init.
 *
 * Command line, as on Linux: what the kernel does not know goes to init, NAME=VALUE into its environment, other words to its arguments.
 *
 *	init=PATH		the first program
 *	pager=slow|eio		reads of the image let others run first, or fail (fs/fat.h)
 *	panic=test		panic as soon as there is something to see
 */
#include "arch/boot.h"
#include "arch/console.h"
#include "arch/cpu.h"
#include "arch/mmu.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "fs/anon.h"
#include "fs/fat.h"
#include "fs/job.h"
#include "fs/memfd.h"
#include "kernel/pidfd.h"
#include "kernel/main.h"
#include "kernel/clock.h"
#include "kernel/files.h"
#include "kernel/futex.h"
#include "kernel/mqueue.h"
#include "kernel/sched.h"
#include "kernel/settings.h"
#include "kernel/sigio.h"
#include "kernel/system.h"
#include "kernel/tty.h"
#include "kernel/vdso.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/physmap.h"
#include "vm/vm.h"

enum { CMDLINE_SIZE = 1024, WORDS_MAX = 62 };

static char cmdline[CMDLINE_SIZE], words[CMDLINE_SIZE];		/* as given, and cut into words */
/* What the first program gets. */
static const char *init_path = "/sbin/init";
static const char *init_argv[WORDS_MAX + 2], *init_envp[WORDS_MAX + 3] = { "HOME=/", "TERM=linux" };
static bool panic_wanted;

static void read_cmdline(const char *from_loader);
static void say_hello(const struct boot_info *);
static void start_init(void *boot_info);
static void could_not_boot(const char *what, const char *why) __attribute__((noreturn));

void kernel_main(const struct boot_info *boot)
{
	lock_init();
	sched_init();
	vm_init();
	arch_init();
	read_cmdline(boot->cmdline);
	say_hello(boot);
	process_init();
	futex_init();
	signal_init();
	clock_init();
	time_init();
	dev_register_memory();
	tty_init_controlling();
	console_tty_init();
	pty_init();
	sigio_init();
	job_init();
	cpu_irq_enable();		/* whatever interrupts call is ready */
	cpu_start_others();
	if (panic_wanted)
		panic("asked for by the command line");
	if (!process_create_first(start_init, (void *)boot))
		could_not_boot("the first process", "there is too little memory");
	sched_idle();
}

/* A state that no debugging helps with: said in one line, without registers. */
static void could_not_boot(const char *what, const char *why)
{
	kprintf("faultline: could not boot: %s: %s\n", what, why);
	if (job_present())
		job_put(JOB_STATUS, "noboot\n", 7);
	machine_end(MACHINE_PANIC);
}

static void say_hello(const struct boot_info *boot)
{
	const struct phys_range *ram;
	size_t n, frames = 0;
	ram = physmap_ram(&n);
	for (size_t i = 0; i < n; i++)
		frames += ram[i].end - ram[i].start;
	kprintf("Faultline " SYSTEM_RELEASE ", loaded by %s\n", boot->loader);
	kprintf("kernel: %llu KiB at %#llx\n", (unsigned long long)(boot->kernel_end - boot->kernel_start) / 1024,
		(unsigned long long)boot->kernel_start);
	kprintf("memory: %zu KiB, of which %zu KiB are free\n", frames * (PAGE_SIZE / 1024), frame_free_count() * (PAGE_SIZE / 1024));
	if (boot->memory_warning)
		kprintf("memory: %s\n", boot->memory_warning);
	if (boot->image_size)
		kprintf("image: %zu KiB at %#llx\n", boot->image_size / 1024, (unsigned long long)boot->image);
}

/* ---- the command line ----------------------------------------------------------------- */

static void append_to_cmdline(const char *text, size_t n)
{
	size_t length = strlen(cmdline);
	if (length && length < CMDLINE_SIZE - 1)
		cmdline[length++] = ' ';
	if (n > CMDLINE_SIZE - 1 - length)
		n = CMDLINE_SIZE - 1 - length;
	memcpy(cmdline + length, text, n);
	cmdline[length + n] = '\0';
}

static const char *value_of(const char *word, const char *name)
{
	size_t n = strlen(name);
	return strncmp(word, name, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

static void append_word(const char **list, const char *word)
{
	size_t n = 0;
	while (list[n])
		n++;
	list[n] = word;
}

static bool take_setting(const char *word)
{
	char name[32];
	size_t n = 0;

	while (word[n] && word[n] != '=' && n < sizeof name - 1) {
		name[n] = word[n];
		n++;
	}
	name[n] = '\0';
	const struct setting *s = word[n] == '=' ? setting_find(name) : NULL;
	if (s && setting_take(s, word + n + 1, strlen(word + n + 1)) < 0)
		kprintf("command line: %s: not one of %s, %s%s%s\n", word, s->words[0], s->words[1], s->words[2] ? ", " : "", s->words[2] ? s->words[2] : "");
	return s != NULL;
}

/* true: the kernel knows it. */
static bool take_word(const char *word)
{
	const char *value;
	if ((value = value_of(word, "init"))) {
		init_path = value;
	} else if ((value = value_of(word, "panic"))) {
		panic_wanted = strcmp(value, "test") == 0;
	} else if (strcmp(word, "norandmaps") == 0) {
		return take_setting("randomize_va_space=0");
	} else {
		return take_setting(word);
	}
	return true;
}

const char *system_cmdline(void)
{
	return cmdline;
}

static void read_cmdline(const char *from_loader)
{
	char extra[512];
	append_to_cmdline(from_loader, strlen(from_loader));
	ssize n = host_blob_read("cmdline", 0, extra, sizeof extra);
	if (n > 0)
		append_to_cmdline(extra, (size_t)n);
	memcpy(words, cmdline, sizeof words);

	init_argv[0] = init_path;
	char *at = words;
	for (unsigned n_words = 0; n_words < WORDS_MAX; n_words++) {
		while (*at == ' ' || *at == '\t' || *at == '\n')
			at++;
		if (!*at)
			break;
		char *word = at;
		while (*at && *at != ' ' && *at != '\t' && *at != '\n')
			at++;
		if (*at)
			*at++ = '\0';
		if (!take_word(word))
			append_word(strchr(word, '=') ? init_envp : init_argv, word);
	}
}

/* ---- the first process ---------------------------------------------------------------- */

size_t image_frames;

static struct mount *mount_image(const struct boot_info *boot)
{
	const char *why = "the boot loader gave none";
	struct mount *m = NULL;
	image_frames = page_ceil((boot->image & PAGE_MASK) + boot->image_size) >> PAGE_SHIFT;
	if (boot->image_size) {
		char *bytes = (char *)direct(pfn_of(boot->image)) + (boot->image & PAGE_MASK);
		m = fat_mount(bytes, boot->image_size, boot->image & PAGE_MASK ? PFN_NONE : pfn_of(boot->image), &why);
	}
	if (!m)
		could_not_boot("the file system image", why);
	return m;
}

static void mount_at(const char *path, struct mount *m)
{
	int error = m ? vfs_mount(path, m) : -ENOMEM;
	if (error)
		kprintf("mount: %s: error %d\n", path, -error);
}

/* Descriptors 0, 1 and 2 are the console. */
static void open_console(struct process *p)
{
	struct file *file;
	int error = vfs_open(&p->fs, NULL, "/dev/console", OPEN_READ_WRITE, 0, &file);
	if (error) {
		kprintf("/dev/console: error %d\n", -error);
		return;
	}
	for (int fd = 0; fd < 3; fd++)
		files_install(p->files, file_ref(file), fd, false);
	file_put(file);
}

static void start_init(void *boot_info)
{
	struct process *p = current;
	if (memfd_init())
		kprintf("no memory for memfd\n");
	pidfd_init();
	if (anon_init())
		kprintf("no memory for files without a place\n");
	if (vdso_init())
		kprintf("no memory for the vDSO\n");
	mount_at("/", mount_image(boot_info));
	fs_context_init(&p->fs);
	mount_at("/dev", dev_mount());
	mount_at("/dev/pts", pty_mount());
	mount_at("/dev/shm", tmpfs_mount());
	mount_at("/dev/mqueue", mqueue_mount());
	mount_at("/tmp", tmpfs_mount());
	mount_at("/proc", proc_mount());
	mount_at("/sys", sysfs_mount());
	open_console(p);
	console_start();

	init_argv[0] = init_path;
	long error = process_exec(NULL, init_path, &(struct exec_strings){ UIO_KERNEL, (vaddr_t)init_argv, (vaddr_t)init_envp });
	if (error) {
		char why[32];
		snprintf(why, sizeof why, "error %ld", -error);
		could_not_boot(init_path, why);
	}
	trap_return(thread_frame(&current_thread()->arch));
}
