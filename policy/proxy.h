/* The variables by which programs in a container, or in a job, find the policy's proxy. */
#ifndef CES_POLICY_PROXY_H
#define CES_POLICY_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#define CES_PROXY_TEXT 288  /* "http://host:port", with the NUL */
#define CES_PROXY_PORT 3128 /* of 127.0.0.1 in the container */

/* Writes "NAME=value" for number i of the variables that programs look for. With these, programs
 * use url, but contact their own machine directly. False if there are no more. */
bool ces_proxy_setting(size_t i, const char *url, char *buffer, size_t size);

#endif
