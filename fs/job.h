/* fs/job.h - the devices under /dev/job: the channels to the host that run.sh -c uses (arch/console.h). */
#pragma once

/* Registers them, if the machine has the channels. */
void job_init(void);
