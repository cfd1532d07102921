/* One error, passed upwards by value: its kind, its rule, and one line for the caller. It must not
 * allocate or print: only main() functions print. */
#ifndef CES_COMMON_ERROR_H
#define CES_COMMON_ERROR_H

#include <stdarg.h>

enum ces_code {
	CES_OK = 0,
	CES_E_USAGE,    /* the command line or the request is malformed: say what to type */
	CES_E_DENIED,   /* the policy says no; `rule` names the rule, whom to ask is appended by the
			   client side */
	CES_E_POLICY,   /* the policy file cannot be trusted or understood: everything is denied */
	CES_E_NOTFOUND, /* no such image, run, project or manifest (or it is not the caller's) */
	CES_E_REGISTRY, /* the registry failed: down, slow, refused the login, redirected elsewhere
			 */
	CES_E_IMAGE,    /* bytes or configuration of the image are hostile, broken or unsupported */
	CES_E_HOST,     /* this machine lacks something: a kernel feature, a worker user, space */
	CES_E_LIMIT,    /* a deadline or a cap was reached */
	CES_E_INTERNAL, /* should not happen */
};

#define CES_ERROR_TEXT 512
#define CES_RULE_TEXT  96

struct ces_error {
	enum ces_code code;
	int sys; /* errno of the failing call, or 0 */
	char
	    rule[CES_RULE_TEXT]; /* e.g. "projects.nsh-2024-0001.images"; "" when no rule decided */
	char text[CES_ERROR_TEXT]; /* one line, printable ASCII, no trailing full stop or newline */
};

/* The four ways to say what went wrong; each is an expression of value -1, so that a caller can
 * `return ces_error_set(...)`. err may be NULL. They are macros, so that a reader of the caller,
 * such as a static analyser, sees the -1.
 *
 * set takes code and text (printf style; every byte outside printable ASCII becomes '?'), and
 * clears sys and rule. errno does the same, remembers errno and appends ": <strerror>"; errno
 * itself is kept. rule does the same as set, with the name of the rule that decided. context puts
 * "<context>: " before the text. */
static inline int ces_error_failed(void)
{
	return -1;
}

#define ces_error_set(err, code, ...) ces_error_rule(err, code, "", __VA_ARGS__)
#define ces_error_errno(err, code, ...)                                                            \
	(ces_error_put_errno(err, code, __VA_ARGS__), ces_error_failed())
#define ces_error_rule(err, code, rule, ...)                                                       \
	(ces_error_put_rule(err, code, rule, __VA_ARGS__), ces_error_failed())
#define ces_error_context(err, ...) (ces_error_put_context(err, __VA_ARGS__), ces_error_failed())

void ces_error_put_errno(struct ces_error *err, enum ces_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ces_error_put_rule(struct ces_error *err, enum ces_code code, const char *rule,
			const char *format, ...) __attribute__((format(printf, 4, 5)));
void ces_error_put_context(struct ces_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A short fixed word for the code ("denied", "policy", and so on), for the journal and events. */
const char *ces_code_name(enum ces_code code);

/* Turns every byte outside 0x20..0x7e into '?', in place. Foreign text must never reach a terminal
 * or a log as control characters. */
void ces_text_clean(char *text);

#endif
