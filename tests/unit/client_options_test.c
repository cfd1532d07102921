/* Tests that a command line becomes the right request, or a line that says what to type. */
/* links: client/options.c client/run_options.c client/setters.c client/mount.c client/optfile.c */
/* links: client/words.c client/profile.c */
/* links: client/check.c */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/check.h"
#include "client/optfile.h"
#include "client/options.h"
#include "client/words.h"
#include "common/cleanup.h"

static struct ces_options options;
static struct ces_error err;
static int first;

static void setup(void)
{
	memset(&options, 0, sizeof(options));
	memset(&err, 0, sizeof(err));
	setenv("CES_TEST_HERE", "from here", 1);
	unsetenv("CES_TEST_UNSET");
}

static void teardown(void)
{
	ces_options_free(&options);
}

/* Splits a command line and parses it, as for `run`. */
static int run(const char *line)
{
	struct ces_words words;
	int result;

	ck_assert_int_eq(ces_words_split(line, false, &words, &err), 0);
	result =
	    ces_options_parse(&ces_run_options, words.argc, words.argv, &options, &first, &err);
	ces_words_free(&words);
	return result;
}

static void expect(const char *line)
{
	ck_assert_msg(run(line) == 0, "%s: %s", line, err.text);
}

/* Makes a file with this text, to name on a command line. The test removes it. */
static char *file(const char *text)
{
	static char path[64];
	FILE *f;

	strcpy(path, "/tmp/ces-client-test-XXXXXX");
	f = fdopen(mkstemp(path), "w");
	fputs(text, f);
	fclose(f);
	return path;
}

START_TEST(every_option_of_the_design_is_sent)
{
	const struct ces_request *r = &options.request;

	expect("--project p --gpu=2 --cpus 1.5 --memory 16G --time 6h --shm-size 512M -e A=1 "
	       "--name n --entrypoint /e "
	       "-w /w -p 8787:80 -v /a/b:/c:ro --mount type=tmpfs,destination=/run,size=64M "
	       "--read-only -itd -q "
	       "ghcr.io/a/b");
	ck_assert_str_eq(r->project, "p");
	ck_assert_str_eq(r->gpu, "2");
	ck_assert_uint_eq(r->cpus, 1500);
	ck_assert_uint_eq(r->memory_bytes, 16ULL << 30);
	ck_assert_uint_eq(r->time_seconds, 6 * 3600);
	ck_assert_uint_eq(r->shm_bytes, 512 << 20);
	ck_assert_str_eq(r->env.v[0], "A=1");
	ck_assert_str_eq(r->name, "n");
	ck_assert_str_eq(r->entrypoint, "/e");
	ck_assert_str_eq(r->workdir, "/w");
	ck_assert_str_eq(r->publish.v[0], "8787:80");
	ck_assert_str_eq(r->bind_sources.v[0], "/a/b");
	ck_assert_str_eq(r->bind_destinations.v[0], "/c");
	ck_assert_uint_eq(r->bind_read_only.v[0], 1);
	ck_assert_str_eq(r->tmpfs_destinations.v[0], "/run");
	ck_assert_uint_eq(r->tmpfs_sizes.v[0], 64 << 20);
	ck_assert_uint_eq(r->flags, CES_FLAG_INTERACTIVE | CES_FLAG_TTY | CES_FLAG_DETACH |
					CES_FLAG_READ_ONLY | CES_FLAG_ENTRYPOINT);
	ck_assert(options.quiet);
}
END_TEST

START_TEST(words_after_the_image_belong_to_the_container)
{
	expect("-i ghcr.io/a/b --memory 4 -d --help");
	ck_assert_int_eq(first, 2);
	ck_assert_uint_eq(options.request.flags, CES_FLAG_INTERACTIVE);
	ck_assert(!options.help);
}
END_TEST

START_TEST(gpu_alone_asks_for_one)
{
	expect("--gpu ghcr.io/a/b");
	ck_assert_str_eq(options.request.gpu, "1");
	ck_assert_int_eq(first, 2);
}
END_TEST

START_TEST(an_empty_entrypoint_is_asked_for)
{
	expect("--entrypoint '' ghcr.io/a/b");
	ck_assert_str_eq(options.request.entrypoint, "");
	ck_assert_uint_eq(options.request.flags, CES_FLAG_ENTRYPOINT);
}
END_TEST

/* Options that podman has, and that always apply with CES. */
static const char *const accepted[] = {
    "--rm x",
    "--rm=true x",
    "--network=none x",
    "--network none x",
    "--pull=never x",
    "--pull never x",
    "--http-proxy=false x",
    "--rmi=false x",
    "-p 127.0.0.1:80:80 x",
    "-p 80:80/tcp x",
    "--mount type=bind,src=/a,dst=/b,readonly x",
    "--mount type=bind,source=/a,target=/b,ro=false x",
    "--bind /a x",
    "--bind /a:/b:ro,/c x",
    "-v ./a:/b x",
    "-m 4g x",
    "--time 90m x",
};

START_TEST(an_option_of_other_tools_that_always_holds_is_accepted)
{
	expect(accepted[_i]);
}
END_TEST

static const struct {
	const char *line, *text;
} refused[] = {
    {"--memory 4 x", "type --memory 4G"},
    {"--memory lots x", "type a whole number and a unit"},
    {"--shm-size 64 x", "type --shm-size 64G"},
    {"--time 6 x", "--time 6h"},
    {"--cpus -1 x", "--cpus 4"},
    {"--cpus", "type --cpus N"},
    {"--memroy 4G x", "did you mean --memory?"},
    {"--zzzzzzzz x", "--help"},
    {"--read-only=no x", "takes no value"},
    {"--tty=false x", "takes no value: type --tty, or leave it out"},
    {"--entrypoint '[\"sh\",\"-c\"]' x", "type --entrypoint CMD, and its words after the image"},
    {"--privileged x", "leave it out"},
    {"--cap-add=ALL x", "--cap-add is not for CES"},
    {"--device /dev/sda x", "--gpu=N"},
    {"--user 0 x", "leave it out"},
    {"-u 0 x", "leave it out"},
    {"--network=host x", "has no network"},
    {"--network bridge x", "has no network"},
    {"--rm=false x", "always removed"},
    {"--rmi x", "type --rmi=false"},
    {"--http-proxy x", "type --http-proxy=false"},
    {"--pull=always x", "ces-client pull"},
    {"--security-opt seccomp=unconfined x", "leave it out"},
    {"-p web x", "type -p HOST:CONTAINER"},
    {"-p 0:0 x", "type -p HOST:CONTAINER"},
    {"-p 80:65536 x", "type -p HOST:CONTAINER"},
    {"-p 0.0.0.0:80:80 x", "loopback only"},
    {"-p 80:80/udp x", "only TCP"},
    {"-v data:/b x", "./data"},
    {"-v /a x", "SRC:DST"},
    {"-v :/a x", "SRC:DST"},
    {"-v /a:/b:Z x", "type :ro"},
    {"-v /a:b:/c x", "type --mount type=bind,source=SRC,destination=DST"},
    {"--bind /a:b:/c x", "type --mount type=bind,source=SRC,destination=DST"},
    {"-v /a:b x", "begins with '/': type /b"},
    {"-v /a:./b x", "type /b"},
    {"--bind /a:b x", "type /b"},
    {"--mount type=tmpfs,destination=run x", "type /run"},
    {"-v '~/a:/b' x", "write the full path"},
    {"-v '$HOME/a:/b' x", "write the full path"},
    {"--mount type=volume,destination=/a x", "type=tmpfs or type=bind"},
    {"--mount type=tmpfs x", "type=tmpfs,destination=DIR"},
    {"--mount destination=/a x", "type=tmpfs,destination=DIR"},
    {"--mount type=tmpfs,destination=/a,size=64 x", "64M"},
    {"--mount type=tmpfs,destination=/a,uid=0 x", "'uid' is not for CES"},
    {"--mount type=bind,source=/a,destination=/b,bind-propagation=shared x", "is not for CES"},
    {"-e =x x", "type NAME=value"},
    {"-e 'A B=1' x", "type NAME=value"},
    {"--env-file /nonexistent x", "cannot open /nonexistent"},
};

START_TEST(a_host_port_that_is_left_out_is_a_free_one)
{
	static const char *const lines[] = {"-p 80 x", "-p 0:80 x", "-p 127.0.0.1::80 x",
					    "-p localhost:0:80/tcp x"};
	expect(lines[_i]);
	ck_assert_uint_eq(options.request.publish.n, 1);
	ck_assert_uint_ge(strtoul(options.request.publish.v[0], NULL, 10), 1024);
	ck_assert_str_eq(strchr(options.request.publish.v[0], ':'), ":80");
	ck_assert_uint_eq(options.chosen, 1);
}
END_TEST

START_TEST(a_wrong_option_is_refused_with_what_to_type)
{
	ck_assert_int_eq(run(refused[_i].line), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
	ck_assert_msg(strstr(err.text, refused[_i].text) != NULL, "%s: '%s' lacks '%s'",
		      refused[_i].line, err.text, refused[_i].text);
}
END_TEST

/* In the zone EST5. */
static const struct {
	const char *typed;
	uint64_t ms;
} moments[] = {
    {"1764547200", 1764547200000},
    {"2025-12-01", 1764565200000},
    {"2025-12-01T00:00", 1764565200000},
    {"2025-12-01 00:00:01", 1764565201000},
    {"2025-12-01T00:00Z", 1764547200000},
    {"2025-12-01T00:00:01Z", 1764547201000},
    {"2025-12-01T00:00:01.614Z", 1764547201614},
    {"2025-12-01T00:00:01.6Z", 1764547201600},
    {"2025-12-01T00:00:01.614999999Z", 1764547201614},
    {"2025-12-01T00:00:01.614", 1764565201614},
    {"2025-12-01T01:00:00+01:00", 1764547200000},
    {"2025-12-01T01:00+0100", 1764547200000},
    {"2025-11-30T18:30:00.5-05:30", 1764547200500},
};

static const char *const no_moments[] = {
    "yesterday",           "2025-13-01",  "2025-12-01T00:00:01.Z", "2025-12-01T00:00:01.6x",
    "2025-12-01T00:00.6Z", "2025-12-01Z", "2025-12-01-05:00",      "2025-12-01T00:00Zx",
    "2025-12-01T00:00+1",
};

static int since(const char *typed)
{
	char name[] = "logs", option[] = "--since", value[64];
	char *argv[] = {name, option, value, NULL};

	(void)snprintf(value, sizeof(value), "%s", typed);
	setenv("TZ", "EST5", 1);
	return ces_options_parse(&ces_logs_options, 3, argv, &options, &first, &err);
}

START_TEST(a_moment_is_local_or_says_its_zone)
{
	ck_assert_msg(since(moments[_i].typed) == 0, "%s: %s", moments[_i].typed, err.text);
	ck_assert_uint_eq(options.since, moments[_i].ms);
}
END_TEST

START_TEST(a_moment_that_is_none_is_refused)
{
	ck_assert_int_eq(since(no_moments[_i]), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "--since 10m for ten minutes ago"));
}
END_TEST

static const struct {
	const char *typed, *source;
} sources[] = {
    {"/a//b/", "/a/b"}, {"/a/./b", "/a/b"}, {"/a/../b", "/b"},
    {"/..", "/"},       {"/a/..", "/"},     {"/../a/b/../c", "/a/c"},
};

START_TEST(a_bind_source_is_sent_without_dots)
{
	char line[128];

	snprintf(line, sizeof(line), "-v %s:/x i", sources[_i].typed);
	expect(line);
	ck_assert_str_eq(options.request.bind_sources.v[0], sources[_i].source);
}
END_TEST

START_TEST(a_relative_bind_source_starts_here)
{
	ck_assert_int_eq(chdir("/usr/lib"), 0);
	expect("-v ../share/./doc:/x i");
	ck_assert_str_eq(options.request.bind_sources.v[0], "/usr/share/doc");
}
END_TEST

START_TEST(a_name_alone_takes_the_callers_value)
{
	expect("-e CES_TEST_HERE -e CES_TEST_UNSET i");
	ck_assert_uint_eq(options.request.env.n, 1);
	ck_assert_str_eq(options.request.env.v[0], "CES_TEST_HERE=from here");
}
END_TEST

START_TEST(a_later_setting_of_a_name_replaces_the_earlier)
{
	expect("-e A=1 -e AB=2 -e A=3 i");
	ck_assert_uint_eq(options.request.env.n, 2);
	ck_assert_str_eq(options.request.env.v[0], "A=3");
	ck_assert_str_eq(options.request.env.v[1], "AB=2");
}
END_TEST

START_TEST(an_opt_file_gives_options_over_several_lines)
{
	const char *path =
	    file("# service\n-p 8787:8787 -e 'PASSWORD=a b'\n\n  -it \\\n  --rm\n--network=none\n"
		 "--mount type=tmpfs,destination=/run\n");
	char line[128];

	snprintf(line, sizeof(line), "--opt-file %s i", path);
	expect(line);
	unlink(path);
	ck_assert_str_eq(options.request.publish.v[0], "8787:8787");
	ck_assert_str_eq(options.request.env.v[0], "PASSWORD=a b");
	ck_assert_uint_eq(options.request.flags,
			  CES_FLAG_INTERACTIVE | CES_FLAG_TTY | CES_FLAG_NO_PROXY);
	ck_assert_str_eq(options.request.tmpfs_destinations.v[0], "/run");
}
END_TEST

START_TEST(the_command_line_wins_over_an_opt_file_in_any_order)
{
	const char *path = file("--memory=2G -e A=file -e B=file");
	char line[128];

	snprintf(line, sizeof(line), "--memory 4G -e A=line --opt-file %s i", path);
	expect(line);
	unlink(path);
	ck_assert_uint_eq(options.request.memory_bytes, 4ULL << 30);
	ck_assert_str_eq(options.request.env.v[0], "A=line");
	ck_assert_str_eq(options.request.env.v[1], "B=file");
}
END_TEST

START_TEST(an_env_file_yields_to_a_setting_on_the_command_line)
{
	const char *path = file("A=file\nB=file\n");
	char line[128];

	snprintf(line, sizeof(line), "-e A=line --env-file %s i", path);
	expect(line);
	unlink(path);
	ck_assert_str_eq(options.request.env.v[0], "A=line");
	ck_assert_str_eq(options.request.env.v[1], "B=file");
}
END_TEST

static const struct {
	const char *file, *text;
} bad_opt_files[] = {
    {"--rm\n--privileged\n", "--privileged is not for CES"},
    {"--network=host", "--network=host is not for CES"},
    {"--opt-file /x", "inside an opt-file"},
    {"--rm python x.py", "'python' is not an option"},
    {"-e 'A", "a ' is not closed"},
    {"-v $DATA/s3:/s3", "write the full path"},
};

START_TEST(an_opt_file_is_refused_naming_the_file_and_the_directive)
{
	char *path = file(bad_opt_files[_i].file);
	char line[128];

	snprintf(line, sizeof(line), "--opt-file %s i", path);
	ck_assert_int_eq(run(line), -1);
	unlink(path);
	ck_assert_msg(strncmp(err.text, path, strlen(path)) == 0, "%s", err.text);
	ck_assert_msg(strstr(err.text, bad_opt_files[_i].text) != NULL, "%s", err.text);
}
END_TEST

START_TEST(an_arg_file_gives_words_for_the_command)
{
	const char *path = file("--epochs 3 \"two words\" '$HOME'\n# 'not a comment'\n");
	static const char *const words[] = {"--epochs", "3", "two words",
					    "$HOME",    "#", "not a comment"};
	char line[128];

	snprintf(line, sizeof(line), "--arg-file %s i", path);
	expect(line);
	unlink(path);
	ck_assert_uint_eq(options.request.args.n, CES_COUNT(words));
	for (size_t i = 0; i < CES_COUNT(words); i++)
		ck_assert_str_eq(options.request.args.v[i], words[i]);
}
END_TEST

START_TEST(options_of_a_pull_may_follow_the_image)
{
	char *argv[] = {(char[]){"pull"}, (char[]){"ghcr.io/a/b"}, (char[]){"--username"},
			(char[]){"u"}, NULL};

	ck_assert_int_eq(ces_options_parse(&ces_pull_options, 4, argv, &options, &first, &err), 0);
	ck_assert_str_eq(options.request.username, "u");
	ck_assert_str_eq(argv[first], "ghcr.io/a/b");
}
END_TEST

START_TEST(a_token_on_the_command_line_is_refused)
{
	char *argv[] = {(char[]){"pull"}, (char[]){"--token=secret"}, (char[]){"ghcr.io/a/b"},
			NULL};

	ck_assert_int_eq(ces_options_parse(&ces_pull_options, 3, argv, &options, &first, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "--token-file F or --token-stdin"));
	ck_assert_ptr_null(strstr(err.text, "secret"));
}
END_TEST

static const struct {
	const char *project, *text;
} unsendable[] = {
    {"nsh-1 \xe2\x80\x93memory", "--project has a character that is not plain ASCII, at '?"},
    {"nsh-1\n", "--project has"},
};

static const struct {
	const char *env, *source, *word, *text; /* NULL: accepted */
} sent[] = {
    {"A=gr\xc3\xbc\xc3\x9f", NULL, NULL, NULL},
    {"A=two\nlines\x1b", NULL, NULL, NULL},
    {"A=secret\xff", NULL, NULL, "the variable A has bytes that are not UTF-8 text"},
    {NULL, "/home/d\xc3\xa4t\xc3\xa4", NULL, NULL},
    {NULL, "/home/\xff", NULL, "a source of -v has bytes that are not UTF-8 text, at '?'"},
    {NULL, "/home/\xe2\x80\xaex", NULL, "a source of -v has a character that cannot be seen"},
    {NULL, "/home/a\nb", NULL, "a source of -v has a character that cannot be seen"},
    {NULL, NULL, "gr\xc3\xbc\xc3\x9f", NULL},
    {NULL, NULL, "\xc3", "a word for the command has bytes that are not UTF-8 text"},
    {NULL, NULL, "\xed\xa0\x80", "a word for the command has bytes that are not UTF-8 text"},
};

static struct ces_strings one(const char *const *value)
{
	return (struct ces_strings){(char **)(uintptr_t)value, *value != NULL};
}

START_TEST(utf8_is_accepted_and_other_bytes_are_refused_by_name)
{
	const struct ces_request request = {.env = one(&sent[_i].env),
					    .bind_sources = one(&sent[_i].source),
					    .args = one(&sent[_i].word)};

	ck_assert_int_eq(ces_request_check(&request, &err), sent[_i].text == NULL ? 0 : -1);
	if (sent[_i].text == NULL)
		return;
	ck_assert_ptr_nonnull(strstr(err.text, sent[_i].text));
	ck_assert_ptr_null(strstr(err.text, "secret"));
}
END_TEST

START_TEST(a_pasted_character_is_named_with_the_value_that_holds_it)
{
	const struct ces_request request = {.project = (char *)unsendable[_i].project};

	ck_assert_int_eq(ces_request_check(&request, &err), -1);
	ck_assert_msg(strstr(err.text, unsendable[_i].text) != NULL, "%s", err.text);
}
END_TEST

START_TEST(a_value_too_long_or_too_often_is_named)
{
	char *many[33];
	struct ces_request request = {.args = {(char *[]){malloc(100001)}, 1}};

	memset(request.args.v[0], 'x', 100000);
	request.args.v[0][100000] = '\0';
	ck_assert_int_eq(ces_request_check(&request, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "a word for the command is longer"));
	free(request.args.v[0]);
	request = (struct ces_request){.env = {(char *[]){malloc(100001)}, 1}};
	memset(request.env.v[0], 'x', 100000);
	memcpy(request.env.v[0], "SECRET=", 7);
	request.env.v[0][100000] = '\0';
	ck_assert_int_eq(ces_request_check(&request, &err), -1);
	ck_assert_str_eq(err.text, "the variable SECRET is longer than 65536 bytes");
	free(request.env.v[0]);
	for (size_t i = 0; i < CES_COUNT(many); i++)
		many[i] = (char[]){"80:80"};
	request = (struct ces_request){.publish = {many, CES_COUNT(many)}};
	ck_assert_int_eq(ces_request_check(&request, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "-p: at most 32"));
}
END_TEST

START_TEST(a_request_that_the_codec_sends_is_accepted)
{
	static char image[] = "ghcr.io/a/b:1";

	expect("-e 'A=\x1b\n' -p 80:80 i");
	options.request.image = image;
	ck_assert_int_eq(ces_request_check(&options.request, &err), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client options");
	TCase *tc = tcase_create("options");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_option_of_the_design_is_sent);
	tcase_add_test(tc, words_after_the_image_belong_to_the_container);
	tcase_add_test(tc, gpu_alone_asks_for_one);
	tcase_add_test(tc, an_empty_entrypoint_is_asked_for);
	tcase_add_loop_test(tc, an_option_of_other_tools_that_always_holds_is_accepted, 0,
			    CES_COUNT(accepted));
	tcase_add_loop_test(tc, a_host_port_that_is_left_out_is_a_free_one, 0, 4);
	tcase_add_loop_test(tc, a_wrong_option_is_refused_with_what_to_type, 0, CES_COUNT(refused));
	tcase_add_loop_test(tc, a_moment_is_local_or_says_its_zone, 0, CES_COUNT(moments));
	tcase_add_loop_test(tc, a_moment_that_is_none_is_refused, 0, CES_COUNT(no_moments));
	tcase_add_loop_test(tc, a_bind_source_is_sent_without_dots, 0, CES_COUNT(sources));
	tcase_add_test(tc, a_relative_bind_source_starts_here);
	tcase_add_test(tc, a_name_alone_takes_the_callers_value);
	tcase_add_test(tc, a_later_setting_of_a_name_replaces_the_earlier);
	tcase_add_test(tc, an_opt_file_gives_options_over_several_lines);
	tcase_add_test(tc, the_command_line_wins_over_an_opt_file_in_any_order);
	tcase_add_test(tc, an_env_file_yields_to_a_setting_on_the_command_line);
	tcase_add_loop_test(tc, an_opt_file_is_refused_naming_the_file_and_the_directive, 0,
			    CES_COUNT(bad_opt_files));
	tcase_add_test(tc, an_arg_file_gives_words_for_the_command);
	tcase_add_test(tc, options_of_a_pull_may_follow_the_image);
	tcase_add_test(tc, a_token_on_the_command_line_is_refused);
	tcase_add_loop_test(tc, utf8_is_accepted_and_other_bytes_are_refused_by_name, 0,
			    (int)CES_COUNT(sent));
	tcase_add_loop_test(tc, a_pasted_character_is_named_with_the_value_that_holds_it, 0,
			    CES_COUNT(unsendable));
	tcase_add_test(tc, a_value_too_long_or_too_often_is_named);
	tcase_add_test(tc, a_request_that_the_codec_sends_is_accepted);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
