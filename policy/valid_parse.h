/* Checks of strings of which root's programs know nothing. Internal to policy/. */
#ifndef CES_POLICY_VALID_PARSE_H
#define CES_POLICY_VALID_PARSE_H

#include <stdbool.h>

bool ces_valid_secret(const char *text); /* a name in a cluster, up to 253 */
bool ces_valid_key(const char *text);    /* a path, or a URI of printable ASCII, up to 511 */

/* Names in a cluster, perhaps with {project}, {user} and {user_first}. */
bool ces_valid_claim(const char *text);      /* up to 253 */
bool ces_valid_label(const char *text);      /* up to 63 */
bool ces_valid_namespace(const char *text);  /* the same, without dots */
bool ces_valid_signer(const char *text);     /* a path, or one below the policy's directory */
bool ces_valid_short_path(const char *text); /* as ces_valid_path, up to 263 */

#endif
