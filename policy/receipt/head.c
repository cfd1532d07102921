/* Prints, signs and sends the head of a journal. It must never sign one that is broken, and never
 * be silent when what was asked for was not done: a day without a head is a sign.
 *
 * Who controls what: the journal, the policy and its key are root's. Users choose how many records
 * there are, and nothing of a head. */
#include "policy/receipt/head.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/receipt/dsse.h"
#include "policy/receipt/heads.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

/* RFC 3164: facility 10 (authpriv), severity 5 (notice) and 1 (alert) */
#define NOTICE "<85>"
#define ALERT  "<81>"

int ces_anchor_check(const struct ces_anchor *anchor, bool head)
{
	const char *fault = NULL;

	if (!head && (anchor->key == NULL) != (anchor->against == NULL))
		fault = "audit verify: --against HEADS and --key PUBLIC.pem go together";
	if (head && anchor->key != NULL && anchor->sign)
		fault = "audit head: --sign takes the key of the policy; leave out --key";
	if (head && anchor->policy != NULL && !anchor->sign)
		fault = "audit head: --policy goes with --sign";
	if (fault != NULL)
		fprintf(stderr, "ces-policy: %s\n", fault);
	return fault == NULL ? 0 : -1;
}

static int open_syslog(int *ret, struct ces_error *err)
{
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	CES_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return ces_error_errno(err, CES_E_HOST, "--syslog: /dev/log");
	*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_anchor_prepare(struct ces_anchor *anchor, struct ces_error *err)
{
	if (anchor->against != NULL)
		return ces_input_open(anchor->key, &anchor->key_fd, err) != 0 ||
			       ces_input_open(anchor->against, &anchor->fd, err) != 0
			   ? -1
			   : 0;
	if (anchor->policy == NULL)
		anchor->policy = CES_POLICY_PATH;
	if (anchor->sign && ces_input_open(anchor->policy, &anchor->fd, err) != 0)
		return -1;
	if (anchor->syslog && open_syslog(&anchor->log_fd, err) != 0)
		return -1;
	return anchor->sign || anchor->key != NULL ? ces_signer_start(&anchor->signer, err) : 0;
}

void ces_anchor_release(struct ces_anchor *anchor)
{
	ces_cleanup_close(&anchor->fd);
	ces_cleanup_close(&anchor->key_fd);
	ces_cleanup_close(&anchor->log_fd);
	ces_signer_end(&anchor->signer);
}

static int send_line(const struct ces_anchor *anchor, const char *severity, const char *text,
		     struct ces_error *err)
{
	CES_CLEANUP_FREE char *message = NULL;
	int length = asprintf(&message, "%sces: journal head %s", severity, text);

	if (length < 0) {
		message = NULL;
		return ces_error_set(err, CES_E_HOST, "out of memory");
	}
	if (anchor->log_fd >= 0 &&
	    send(anchor->log_fd, message, (size_t)length, MSG_NOSIGNAL) != length)
		return ces_error_errno(err, CES_E_HOST, "--syslog: /dev/log");
	return 0;
}

/* *ret: the key to sign with, malloc'd; NULL: no signature is wanted. */
static int find_key(const struct ces_anchor *anchor, char **ret, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_policy *policy = NULL;
	size_t length = 0;

	if (!anchor->sign) {
		*ret = anchor->key == NULL ? NULL : strdup(anchor->key);
		return 0;
	}
	if (ces_input_take(anchor->fd, anchor->policy, &bytes, &length, err) != 0)
		return -1;
	if (ces_policy_parse(bytes, length, &policy, err) != 0)
		return ces_error_context(err, "%s", anchor->policy);
	*ret = policy->audit_key == NULL ? NULL : strdup(policy->audit_key);
	ces_policy_free(policy);
	return 0;
}

static char *describe(const struct ces_verify *v)
{
	struct json_object *head = json_object_new_object();
	char host[256] = "", when[40] = "";
	time_t now = time(NULL);
	struct tm tm;
	char *text;

	(void)gethostname(host, sizeof(host) - 1);
	ces_text_clean(host);
	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)json_object_object_add(head, "ces_head", json_object_new_int(1));
	(void)json_object_object_add(head, "host", json_object_new_string(host));
	(void)json_object_object_add(head, "time", json_object_new_string(when));
	(void)json_object_object_add(head, "first", json_object_new_uint64(v->chain_first));
	(void)json_object_object_add(head, "seq", json_object_new_uint64(v->seq));
	(void)json_object_object_add(head, "digest", json_object_new_string(v->digest));
	(void)json_object_object_add(head, "written", json_object_new_string(v->time));
	text = strdup(json_object_to_json_string_ext(head, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(head);
	return text;
}

static int print_head(const struct ces_audit *audit, const struct ces_verify *v, const char *key,
		      struct ces_error *err)
{
	/* (the signer's fd changes hands, and nothing else of the anchor) */
	struct ces_signer signer = audit->anchor.signer;
	CES_CLEANUP_FREE char *text = NULL, *line = NULL;

	if (key == NULL) {
		if (asprintf(&line, "%llu:%s", (unsigned long long)v->seq, v->digest) < 0)
			line = NULL;
	} else {
		text = describe(v);
		if (text != NULL &&
		    ces_dsse_sign(&signer, key, CES_HEAD_MEDIA, text, &line, err) != 0)
			return -1;
	}
	if (line == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	fprintf(audit->out, "%s\n", line);
	return send_line(&audit->anchor, NOTICE, line, err);
}

static int refuse(const struct ces_audit *audit, const char *why)
{
	struct ces_error err = {0};
	char text[600];

	snprintf(text, sizeof(text), "not signed: %s; see 'ces-policy audit verify'", why);
	ces_text_clean(text);
	fprintf(stderr, "ces-policy: %s\n", text);
	if (send_line(&audit->anchor, ALERT, text, &err) != 0)
		(void)ces_tool_fail(&err);
	return CES_TOOL_FINDING;
}

int ces_audit_head(const struct ces_audit *audit)
{
	struct ces_verify v = {.reader = audit->reader};
	CES_CLEANUP_FREE char *key = NULL;
	struct ces_error err = {0};

	if (find_key(&audit->anchor, &key, &err) != 0)
		return ces_tool_fail(&err);
	/* every day's timer comes here, also where no site has asked for it */
	if (audit->anchor.sign && key == NULL)
		return CES_TOOL_GOOD;
	if (ces_audit_judge(&v, &err) != 0)
		return ces_tool_fail(&err);
	if (v.bad != NULL)
		return refuse(audit, v.bad);
	if (v.records == 0)
		return refuse(audit, "the journal is empty");
	return print_head(audit, &v, key, &err) == 0 ? CES_TOOL_GOOD : ces_tool_fail(&err);
}
