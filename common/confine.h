/* Steps of the programs that work on a user's files inside a user namespace, by which they confine
 * themselves: ces-list and ces-clean. They start with an id that nobody on the host has. */
#ifndef CES_COMMON_CONFINE_H
#define CES_COMMON_CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

/* Ends the process unless the step was done. */
void ces_confine_unless(bool good);

/* Sets both limits (setrlimit(2)). Returns whether it could. */
bool ces_confine_limit(__rlimit_resource_t resource, uint64_t value);

/* Ignores the signals that end a session (a logout, the stop of a service) together with the helper
 * that waits for this process's answer; otherwise it ends. */
void ces_confine_signals(void);

/* Works on files as the owner from here on: file servers see the owner's uid (setfsuid(2)). The
 * process must have the owner's group, no other, and another uid; otherwise it ends. */
void ces_confine_owner(uint32_t user, uint32_t group);

/* Keeps these capabilities (a bit each, below 32), and none in any other set; otherwise it ends. */
void ces_confine_capabilities(uint32_t set);

#endif
