/* Implements token authentication as the distribution project describes it (docs/spec/auth/token).
 * Must not decide who gets the password: every realm passes target.c's gate first, which decides
 * this. */
#include "helper/fetch/auth.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/fetch/reply.h"

void ces_auth_wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void ces_auth_use_basic(struct ces_auth *auth)
{
	auth->kind = CES_AUTH_BASIC;
	auth->generation++;
}

void ces_auth_use_bearer(struct ces_auth *auth, char *token)
{
	ces_auth_wipe(auth->bearer);
	auth->bearer = token;
	auth->kind = CES_AUTH_BEARER;
	auth->generation++;
}

static int append_query(CURLU *url, const char *name, const char *value)
{
	char pair[600];
	int n = snprintf(pair, sizeof(pair), "%s=%s", name, value);

	if (n < 0 || (size_t)n >= sizeof(pair))
		return -1;
	return curl_url_set(url, CURLUPART_QUERY, pair, CURLU_APPENDQUERY | CURLU_URLENCODE) ==
		       CURLUE_OK
		   ? 0
		   : -1;
}

int ces_auth_realm(CURLU *url, const struct ces_challenge *challenge, const char *repository,
		   const struct ces_hosts *hosts, struct ces_origin *ret, struct ces_error *err)
{
	char scope[300];
	int n = snprintf(scope, sizeof(scope), "repository:%s:pull", repository);

	if (ces_target_set(url, challenge->realm, hosts, ret, err) < 0) {
		ces_error_context(err, "the registry wants the login sent to");
		return -1;
	}
	if (n < 0 || (size_t)n >= sizeof(scope) ||
	    (challenge->service[0] != '\0' &&
	     append_query(url, "service", challenge->service) < 0) ||
	    append_query(url, "scope", scope) < 0)
		return ces_error_set(err, CES_E_REGISTRY,
				     "the registry's token server has an invalid address");
	return 0;
}

/* RFC 6750 section 2.1, read generously: any visible character. No space and no line end may get
 * into our own header. */
static bool sendable(const char *token, size_t length)
{
	if (length == 0 || length > CES_TOKEN_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (token[i] <= 0x20 || token[i] > 0x7e)
			return false;
	return true;
}

static char *find_token(struct json_object *reply)
{
	static const char *const names[] = {"token", "access_token"};

	for (size_t i = 0; i < CES_COUNT(names); i++) {
		struct json_object *value;
		const char *text;
		size_t length;

		if (!json_object_object_get_ex(reply, names[i], &value) ||
		    !json_object_is_type(value, json_type_string))
			continue;
		text = json_object_get_string(value);
		length = (size_t)json_object_get_string_len(value);
		if (sendable(text, length))
			return strndup(text, length);
	}
	return NULL;
}

int ces_auth_parse(const char *json, size_t length, char **ret, struct ces_error *err)
{
	struct json_object *reply = ces_reply_parse(json, length, CES_TOKEN_REPLY_MAX);
	char *token = reply != NULL ? find_token(reply) : NULL;

	json_object_put(reply);
	if (token == NULL)
		return ces_error_set(err, CES_E_REGISTRY, "the token server's answer has no token");
	*ret = token;
	return 0;
}
