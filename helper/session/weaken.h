/* Root, cut down to what each phase of a request needs.
 *
 *   phase                       capabilities                         beside that
 *   clean room to decision      SETUID SETGID KILL SYS_RESOURCE in   -
 *   (ces-helper)                effect; others kept for ces-session
 *   pull, set-up, proof         those of set-up                      -
 *   watch and end of a run      KILL SETUID SETGID DAC_OVERRIDE      no_new_privs, a filter of
 *                               FOWNER                               system calls
 *
 * Sources: capabilities(7), seccomp(2). */
#ifndef CES_HELPER_SESSION_WEAKEN_H
#define CES_HELPER_SESSION_WEAKEN_H

#include "common/error.h"

/* To the set of set-up: nothing that has to do with modules, raw devices and packets, clocks,
 * audit, or the kernel's log. What the host has taken away already is not missed. */
int ces_weaken_for_set_up(struct ces_error *err);

/* To what watching a run and ending it needs. Before the container is released, so that no moment
 * of its life sees a stronger process; no program can be executed afterwards. */
int ces_weaken_for_watch(struct ces_error *err);

#endif
