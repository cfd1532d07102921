/* Checks of the single strings of a policy. Internal to policy/. */
#ifndef CES_POLICY_VALID_H
#define CES_POLICY_VALID_H

#include <stdbool.h>

/* A valid path, or "~", or "~/...". Its braces are only {project}, {user} and, in the second kind,
 * {run}. */
bool ces_template_valid(const char *text);
bool ces_template_run_valid(const char *text);

bool ces_valid_prose(const char *text);   /* title, site, ...: UTF-8 of one line, up to 256 bytes */
bool ces_valid_short(const char *text);   /* approval: printable ASCII, 1 to 127 */
bool ces_valid_account(const char *text); /* a user or group name, 1 to 63 */
bool ces_valid_prefix(const char *text);  /* of a group name: as that, or empty */
bool ces_valid_host(const char *text);    /* host[:port], lower case */
bool ces_valid_registry(const char *text); /* a host that an image reference can begin with */
bool ces_valid_endpoint(const char *text); /* https://host[:port][/prefix] */
bool ces_valid_proxy(const char *text);    /* http://host:port */
bool ces_valid_path(const char *text);     /* as ces_path_valid, up to 511 */
bool ces_valid_port(const char *text);     /* "1" to "65535" */
bool ces_valid_kind(const char *text);     /* of a device: "vendor.com/class" (CDI specification) */

#endif
