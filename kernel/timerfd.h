/*
 * kernel/timerfd.h - timers that are files: timerfd_create(2).
 */
#pragma once

/* The wall clock was set. */
void timerfd_wall_changed(void);
