/*
 * kernel/oom.c - out of memory: which process is to die.
 *
 * The one with the most memory (resident pages, page tables, what its pipes hold), shifted by its oom_score_adj as on Linux; never the
 * first process.  While one that was chosen has not gone, no other is chosen.
 */
#include "kernel/files.h"
#include "kernel/life.h"
#include "lib/print.h"
#include "vm/frame.h"

enum { NEVER_KILLED = -1000 };

/* Its frames, and a share of all memory for each thousandth of oom_score_adj. */
static long badness(const struct process *p, size_t resident)
{
	struct frame_stats frames;
	frame_get_stats(&frames);
	return (long)resident + (long)(frames.managed / 1000) * p->oom_score_adj;
}

bool oom_kill(void)
{
	struct process *victim = NULL;
	size_t victim_pages = 0;
	long worst = 0;
	bool dying = false;

	mutex_lock(&tree_lock);
	list_for_each(l, &process_list) {
		struct process *p = container_of(l, struct process, all);
		if (p->state != PROCESS_ALIVE || p->pid == 1)
			continue;
		if (p->space && process_killed(p))
			dying = true;
		if (!p->space || p->exiting || p->oom_score_adj == NEVER_KILLED)
			continue;
		size_t resident = space_resident(p->space) + space_tables(p->space) + (p->files ? files_pipe_frames(p->files) : 0);
		long score = badness(p, resident);
		if (!victim || score > worst) {
			victim = p;
			victim_pages = resident;
			worst = score;
		}
	}
	if (dying)
		victim = NULL;
	if (victim) {
		kprintf("faultline: out of memory: killed process %d (%s), which had %zu KiB\n",
			victim->pid, victim->name, victim_pages * (PAGE_SIZE / 1024));
		signal_send_process(victim, SIGKILL, NULL);
	}
	mutex_unlock(&tree_lock);
	return victim || dying;
}
