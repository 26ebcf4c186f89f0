/*
 * fs/job.h - the devices of a job: a command that the host wants to be run, and its three streams.
 *
 *	/dev/job-command	the command, for a shell; reading it from anywhere
 *	/dev/job-stdin		the host's standard input; ends when the host's does
 *	/dev/job-stdout, /dev/job-stderr	the host's standard output and error: raw bytes, none is lost
 *	/dev/job-status		lines for who started the machine: "started", then "exit N"
 *
 * They exist only when the host has given a job (arch/console.h).
 */
#pragma once

/* At boot, once. */
void job_init(void);
