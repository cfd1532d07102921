/* Resolves USER. Must not call the C library's user database (NSS would load code that the image
 * names), and must not follow a symlink of the image. */
#include "helper/unpack/user.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/num.h"

#define FIELDS_MAX 7

/* One line of passwd(5) or group(5), split at its colons. */
struct line {
	char text[4096];
	char *fields[FIELDS_MAX];
	size_t n;
};

/* Takes the next line, and skips lines that are too long. False at the end. */
static bool next_line(const char **at, struct line *ret)
{
	while (**at != '\0') {
		size_t length = strcspn(*at, "\n");
		const char *begin = *at;
		char *field;

		*at += length + ((*at)[length] == '\n' ? 1 : 0);
		if (length == 0 || length >= sizeof(ret->text) || begin[0] == '#')
			continue;
		memcpy(ret->text, begin, length);
		ret->text[length] = '\0';
		field = ret->text;
		for (ret->n = 0; field != NULL && ret->n < FIELDS_MAX; ret->n++)
			ret->fields[ret->n] = strsep(&field, ":");
		return true;
	}
	return false;
}

static bool all_digits(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool same_number(const char *field, uint64_t number)
{
	uint64_t value;

	return ces_num_parse(field, 0, UINT32_MAX, &value) == 0 && value == number;
}

static int parse_id(const char *text, const char *what, uint64_t *ret, struct ces_error *err)
{
	if (ces_num_parse(text, 0, CES_USER_ID_MAX, ret) < 0)
		return ces_error_set(err, CES_E_IMAGE, "the image's %s %.40s is not from 0 to %d",
				     what, text, CES_USER_ID_MAX);
	return 0;
}

/* By name, or by number if `name` is NULL. */
static bool find_passwd(const char *passwd, const char *name, uint64_t uid, struct line *ret)
{
	while (passwd != NULL && next_line(&passwd, ret)) {
		if (ret->n >= 4 && (name != NULL ? strcmp(ret->fields[0], name) == 0
						 : same_number(ret->fields[2], uid)))
			return true;
	}
	return false;
}

static bool is_member(char *members, const char *name)
{
	const char *member;

	while ((member = strsep(&members, ",")) != NULL) {
		if (strcmp(member, name) == 0)
			return true;
	}
	return false;
}

static int find_group(const char *group, const char *name, uint64_t *ret, struct ces_error *err)
{
	struct line line;

	if (all_digits(name))
		return parse_id(name, "group", ret, err);
	while (group != NULL && next_line(&group, &line)) {
		if (line.n >= 3 && strcmp(line.fields[0], name) == 0)
			return parse_id(line.fields[2], "group", ret, err);
	}
	return ces_error_set(err, CES_E_IMAGE, "the image has no group \"%.64s\" in its /etc/group",
			     name);
}

static int find_groups_of(const char *group, const char *name, struct ces_user *user,
			  struct ces_error *err)
{
	struct line line;

	while (group != NULL && next_line(&group, &line)) {
		uint64_t gid;

		if (line.n < 4 || !is_member(line.fields[3], name))
			continue;
		if (parse_id(line.fields[2], "group", &gid, err) < 0)
			return -1;
		if (user->n_groups == CES_USER_GROUPS_MAX)
			return ces_error_set(err, CES_E_IMAGE,
					     "the image's user is in more than %d groups",
					     CES_USER_GROUPS_MAX);
		user->groups[user->n_groups++] = gid;
	}
	return 0;
}

static bool usable_home(const char *home)
{
	if (home[0] != '/' || strlen(home) > CES_USER_HOME_MAX)
		return false;
	for (; *home != '\0'; home++) {
		if (*home < 0x20 || *home > 0x7e)
			return false;
	}
	return true;
}

static int take_passwd(struct line *line, bool with_group, struct ces_user *user,
		       struct ces_error *err)
{
	if (parse_id(line->fields[2], "user", &user->uid, err) < 0)
		return -1;
	if (!with_group && parse_id(line->fields[3], "group", &user->gid, err) < 0)
		return -1;
	if (line->n >= 6 && usable_home(line->fields[5]))
		snprintf(user->home, sizeof(user->home), "%s", line->fields[5]);
	return 0;
}

/* name: of the user, "" for root; group_name: NULL if there is none. */
static int resolve(const char *name, const char *group_name, const char *passwd, const char *group,
		   struct ces_user *user, struct ces_error *err)
{
	bool numeric = name[0] == '\0' || all_digits(name);
	struct line line;

	if (name[0] != '\0' && numeric && parse_id(name, "user", &user->uid, err) < 0)
		return -1;
	snprintf(user->home, sizeof(user->home), "%s", numeric && user->uid == 0 ? "/root" : "/");
	if (!find_passwd(passwd, numeric ? NULL : name, user->uid, &line)) {
		if (!numeric)
			return ces_error_set(err, CES_E_IMAGE,
					     "the image has no user \"%.64s\" in its /etc/passwd",
					     name);
	} else {
		if (take_passwd(&line, group_name != NULL, user, err) < 0)
			return -1;
		if (group_name == NULL)
			return find_groups_of(group, line.fields[0], user, err);
	}
	return group_name == NULL ? 0 : find_group(group, group_name, &user->gid, err);
}

int ces_user_resolve(const char *user, const char *passwd, const char *group, struct ces_user *ret,
		     struct ces_error *err)
{
	struct ces_user resolved = {0};
	char text[512];
	char *colon;

	if (user == NULL)
		user = "";
	if (strlen(user) >= sizeof(text))
		return ces_error_set(err, CES_E_IMAGE, "the image's user is too long");
	snprintf(text, sizeof(text), "%s", user);
	colon = strchr(text, ':');
	if (colon != NULL)
		*colon++ = '\0';
	if (colon != NULL && colon[0] == '\0')
		colon = NULL;
	if (resolve(text, colon, passwd, group, &resolved, err) < 0)
		return -1;
	*ret = resolved;
	return 0;
}
