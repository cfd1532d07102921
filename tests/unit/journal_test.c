/* Tests the records of the journal, byte by byte: what each has, what it never has, and that no
 * text of a caller's changes its form. */
/* links: helper/session/journal.c helper/session/json.c helper/session/runs.c */
/* links: helper/session/object.c helper/clean/tree.c helper/core/beneath.c */
#include <check.h>
#include <json-c/json.h>

#include "common/request.h"
#include "helper/session/journal.h"
#include "helper/session/session.h"
#include "tests/unit/policy_fixture.h"

#define RUN "0123456789"

static char *const words[] = {(char *)"a secret", (char *)"KEY=secret", (char *)"token-secret"};
static const struct ces_caller ann = {
    .uid = 1000, .user = (char *)"ann", .home = (char *)"/home/ann"};
static struct ces_request request;
static struct ces_decision decision;
static struct ces_host host;
static struct ces_session session;

static void mount(struct ces_decision_mount *to, const char *source, const char *destination,
		  bool read_only)
{
	*to = (struct ces_decision_mount){.read_only = read_only};
	(void)snprintf(to->source, sizeof(to->source), "%s", source);
	(void)snprintf(to->destination, sizeof(to->destination), "%s", destination);
}

static void set_up(void)
{
	request = (struct ces_request){.verb = CES_VERB_RUN,
				       .image = (char *)"ghcr.io/lab/tool:1",
				       .project = (char *)"asked",
				       .token = words[2],
				       .username = (char *)"secret",
				       .args = {(char **)(uintptr_t)words, 2},
				       .env = {(char **)(uintptr_t)words, 1}};
	strcpy(host.digest, D2);
	session =
	    (struct ces_session){.uid = 1000, .caller = ann, .request = &request, .host = &host};
	memset(&decision, 0, sizeof(decision));
	decision.verb = CES_VERB_RUN;
	strcpy(decision.project, "p");
	strcpy(decision.rule, "projects.p.images[0]");
	mount(&decision.data, "/safe_data/p", "/safe_data", true);
	mount(&decision.outputs, "/home/ann/outputs_{run}", "/safe_outputs", false);
	mount(&decision.scratch, "/tmp/{run}x", "/scratch", false);
	decision.outputs.per_run = decision.scratch.per_run = true;
	decision.limits.cpus = 4000;
	decision.limits.memory = 1 << 30;
	decision.limits.pids = 64;
	decision.limits.time = 3600;
}

static void is(struct ces_json record, const char *expected)
{
	const char *text = ces_json_end(&record);
	CES_CLEANUP_FREE char *copy = strdup(expected);

	for (char *p = copy; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	ck_assert_str_eq(text, copy);
	ces_json_free(&record);
}

#define SEEN                                                                                       \
	"'uid':1000,'user':'ann','verb':'run','image':'ghcr.io/lab/tool:1','project':'p',"         \
	"'args':2,'env':1,'run':'" RUN "','digest':'" D1 "','policy':'" D2 "',"
#define MOUNTS                                                                                     \
	"'mounts':[{'source':'/safe_data/p','destination':'/safe_data','access':'read-only'},"     \
	"{'source':'/home/ann/outputs_" RUN "','destination':'/safe_outputs','access':'read-"      \
	"write'},{'source':'/tmp/" RUN "x','destination':'/scratch','access':'read-write'}"
#define LIMITS "],'limits':{'cpus_milli':4000,'memory':1073741824,'pids':64,'time':3600},"

START_TEST(an_allowed_run_is_recorded_with_all_that_it_gets_and_no_word_of_its_command)
{
	is(ces_journal_decision(&session, &decision, RUN, D1, NULL, NULL),
	   "{'event':'decision','outcome':'allowed'," SEEN
	   "'rule':'projects.p.images[0]'," MOUNTS LIMITS "'gpus':0,'ports':0,'published':[]}");
}
END_TEST

START_TEST(devices_ports_binds_and_approvals_are_recorded)
{
	char *nodes[] = {(char *)"nvidia.com/gpu=0", (char *)"nvidia.com/gpu=\"1\""};
	const struct ces_strings devices = {nodes, 2};

	strcpy(decision.approval, "IG-1");
	strcpy(decision.evidence, D2);
	mount(&decision.binds[0], "/home/ann/a", "/a", false);
	mount(&decision.binds[1], "/home/ann/b", "/b", true);
	decision.n_binds = 2;
	decision.gpus = 2;
	decision.ports[0] = (struct ces_decision_port){65535, 1};
	decision.ports[1] = (struct ces_decision_port){8787, 8787};
	decision.n_ports = 2;
	decision.display = 1;
	strcpy(decision.proxy, "http://proxy:3128");
	is(ces_journal_decision(&session, &decision, RUN, D1, &devices, NULL),
	   "{'event':'decision','outcome':'allowed'," SEEN
	   "'rule':'projects.p.images[0]','approval':'IG-1','evidence':'" D2 "'," MOUNTS
	   ",{'source':'/home/ann/a','destination':'/a','access':'read-write'}"
	   ",{'source':'/home/ann/b','destination':'/b','access':'read-only'}" LIMITS
	   "'gpus':2,'ports':2,'published':['65535:1','8787:8787'],'display':':0',"
	   "'proxy':'http://proxy:3128',"
	   "'devices':['nvidia.com/gpu=0','nvidia.com/gpu=\\'1\\'']}");
}
END_TEST

START_TEST(a_pull_has_no_mounts)
{
	request.verb = decision.verb = CES_VERB_PULL;
	is(ces_journal_decision(&session, &decision, NULL, D1, NULL, NULL),
	   "{'event':'decision','outcome':'allowed','uid':1000,'user':'ann','verb':'pull',"
	   "'image':'ghcr.io/lab/tool:1','project':'p','args':2,'env':1,'digest':'" D1
	   "','policy':'" D2 "','rule':'projects.p.images[0]'}");
}
END_TEST

START_TEST(a_denial_has_what_was_asked_and_why_it_was_denied)
{
	const struct ces_error why = {CES_E_DENIED, 0, "projects.p.images",
				      "no rule \"allows\" it"};

	is(ces_journal_decision(&session, NULL, NULL, NULL, NULL, &why),
	   "{'event':'decision','outcome':'denied','uid':1000,'user':'ann','verb':'run',"
	   "'image':'ghcr.io/lab/tool:1','project':'asked','args':2,'env':1,'policy':'" D2
	   "','code':'denied','rule':'projects.p.images','reason':'no rule \\'allows\\' it'}");
	/* neither policy, nor caller, nor request could be read */
	session = (struct ces_session){.uid = UINT32_MAX, .host = &host};
	host.digest[0] = '\0';
	is(ces_journal_decision(&session, NULL, NULL, NULL, NULL, &why),
	   "{'event':'decision','outcome':'denied','uid':4294967295,'code':'denied',"
	   "'rule':'projects.p.images','reason':'no rule \\'allows\\' it'}");
}
END_TEST

static const struct {
	uint64_t verb;
	const char *name;
} verbs[] = {
    {0, NULL},
    {CES_VERB_PULL, "'pull'"},
    {CES_VERB_RUN, "'run'"},
    {CES_VERB_IMAGES, "'images'"},
    {CES_VERB_REMOVE, "'remove'"},
    {CES_VERB_RUNS, "'runs'"},
    {CES_VERB_STOP, "'stop'"},
    {CES_VERB_INSPECT, "'inspect'"},
    {CES_VERB_CLEAN, "'clean'"},
    {CES_VERB_CLEAN + 1, NULL},
    {UINT64_MAX, NULL},
};

START_TEST(each_verb_has_its_name_and_any_other_number_has_none)
{
	const struct ces_error why = {CES_E_USAGE, 0, "", "x"};
	const char *name = verbs[_i].name;
	char expected[256];

	request = (struct ces_request){.verb = verbs[_i].verb};
	(void)snprintf(expected, sizeof(expected),
		       "{'event':'decision','outcome':'denied','uid':0,%s%s%s'args':0,'env':0,"
		       "'code':'usage','reason':'x'}",
		       name != NULL ? "'verb':" : "", name != NULL ? name : "",
		       name != NULL ? "," : "");
	session = (struct ces_session){.request = &request, .host = &host};
	host.digest[0] = '\0';
	is(ces_journal_decision(&session, NULL, NULL, NULL, NULL, &why), expected);
}
END_TEST

START_TEST(those_who_signed_are_recorded_and_nobody_if_nobody_had_to)
{
	static struct ces_signers signers = {.n = 2,
					     .v = {{"/etc/ces/a.pem", D1, D2}, {"b\"", "", ""}}};
	struct ces_json record = {0};

	ces_json_object(&record, NULL);
	ces_journal_signers(&record, &(struct ces_signers){.n = 0});
	ces_journal_signers(&record, &signers);
	is(record, "{'signed_by':[{'name':'/etc/ces/a.pem','key':'" D1 "','digest':'" D2
		   "'},{'name':'b\\''}]}");
}
END_TEST

START_TEST(ends_proofs_counts_and_strangers_have_their_forms)
{
	struct ces_journal_subject about = {1000, "ann", "p", RUN, "ghcr.io/lab/tool:1", D1};
	struct ces_json found = {0};

	is(ces_journal_end("run", &about, 137, "memory limit", 5, UINT64_MAX),
	   "{'event':'end','verb':'run','uid':1000,'user':'ann','project':'p','run':'" RUN
	   "','image':'ghcr.io/lab/tool:1','digest':'" D1 "','status':137,'reason':'memory limit',"
	   "'peak_memory':5,'cpu_us':18446744073709551615}");
	ces_json_object(&found, NULL);
	ces_json_number(&found, "seccomp", 2);
	(void)ces_json_end(&found);
	is(ces_journal_proof(&about, &found, NULL),
	   "{'event':'proof','verb':'run','outcome':'as planned','uid':1000,'user':'ann','project':"
	   "'p','run':'" RUN "','image':'ghcr.io/lab/tool:1','digest':'" D1 "','seccomp':2}");
	about = (struct ces_journal_subject){.uid = 7, .run = "pull-" RUN};
	is(ces_journal_proof(&about, &found, "it has \"more\""),
	   "{'event':'proof','verb':'run','outcome':'deviates','uid':7,'pull':'pull-" RUN
	   "','reason':'it has \\'more\\'','seccomp':2}");
	is(ces_journal_end("pull", &about, 125, NULL, 0, 0),
	   "{'event':'end','verb':'pull','uid':7,'pull':'pull-" RUN "','status':125}");
	is(ces_journal_denials(7, 3),
	   "{'event':'denials','outcome':'denied','uid':7,'count':3,'reason':'too many to be "
	   "recorded one by one'}");
	is(ces_journal_stranger(7, RUN, 8787, 8, 2),
	   "{'event':'stranger','verb':'port','outcome':'refused','uid':7,'run':'" RUN
	   "','port':8787,'stranger':8,'count':2}");
	ces_json_free(&found);
}
END_TEST

static const struct {
	const char *source, *filled;
} templates[] = {
    {"/a", "/a"},
    {"{run}", RUN},
    {"/a/{run}", "/a/" RUN},
    {"/a_{run}/b", "/a_" RUN "/b"},
    {"/{run", "/{run"},
    {"/{run}{run}", "/" RUN "{run}"}, /* (a policy with two is refused) */
    {"", ""},
};

START_TEST(the_runs_number_takes_its_place_in_a_path)
{
	char buffer[64], small[8];
	struct ces_decision_mount of = {.per_run = true};

	(void)snprintf(of.source, sizeof(of.source), "%s", templates[_i].source);
	ces_journal_fill(&of, RUN, buffer, sizeof(buffer));
	ck_assert_str_eq(buffer, templates[_i].filled);
	ces_journal_fill(&of, RUN, small, sizeof(small));
	ck_assert_int_eq(strncmp(small, templates[_i].filled, 7), 0);
	of.per_run = false; /* (a caller's own) */
	ces_journal_fill(&of, RUN, buffer, sizeof(buffer));
	ck_assert_str_eq(buffer, templates[_i].source);
}
END_TEST

/* Every byte that a path can have, once. */
START_TEST(a_path_is_recorded_exactly_and_in_ascii)
{
	CES_CLEANUP_FREE char *expected = NULL;
	size_t used = 1, length;
	FILE *out = open_memstream(&expected, &length);

	decision.data.source[0] = '/';
	fputs("{\"source\":\"/", out);
	for (int c = 1; c < 256; c++)
		if (c != '/') {
			decision.data.source[used++] = (char)c;
			if (c == '"')
				fputs("\\\"", out);
			else if (c < ' ' || c > '~' || c == '\\')
				fprintf(out, "\\\\%03o", (unsigned)c);
			else
				fputc(c, out);
		}
	decision.data.source[used] = '\0';
	fputs("\",\"destination\":", out);
	ck_assert_int_eq(fclose(out), 0);
	struct ces_json record = ces_journal_decision(&session, &decision, RUN, D1, NULL, NULL);

	ck_assert_ptr_nonnull(strstr(ces_json_end(&record), expected));
	ces_json_free(&record);
}
END_TEST

START_TEST(the_longest_path_is_recorded_whole)
{
	struct ces_json record;
	const char *text;
	size_t n = 0;

	memset(decision.data.source, 0xff, sizeof(decision.data.source) - 1);
	record = ces_journal_decision(&session, &decision, RUN, D1, NULL, NULL);
	text = ces_json_end(&record);
	for (const char *at = text; (at = strstr(at, "\\\\377")) != NULL; at += 5)
		n++;
	ck_assert_uint_eq(n, sizeof(decision.data.source) - 1);
	ces_json_free(&record);
}
END_TEST

/* What a caller writes is one value in the record, in printable ASCII, however long it is. */
START_TEST(no_text_of_a_callers_changes_the_form_of_a_record)
{
	char hostile[5000];
	struct ces_error why = {.code = CES_E_DENIED};
	struct ces_json record;
	struct json_object *read, *member;
	const char *line;

	for (size_t i = 0; i < sizeof(hostile) - 1; i++)
		hostile[i] = (char)(i % 255 + 1);
	hostile[sizeof(hostile) - 1] = '\0';
	request.image = request.project = hostile;
	memcpy(why.text, hostile, sizeof(why.text) - 1);
	(void)snprintf(why.rule, sizeof(why.rule), "\"}\n{\"");
	record = ces_journal_decision(&session, NULL, hostile, hostile, NULL, &why);
	line = ces_json_end(&record);
	for (const char *p = line; *p != '\0'; p++)
		ck_assert(*p >= ' ' && *p <= '~');
	read = json_tokener_parse(line);
	ck_assert_ptr_nonnull(read);
	ck_assert_int_eq(json_object_object_length(read), 15);
	ck_assert(json_object_object_get_ex(read, "image", &member));
	ck_assert_int_eq(json_object_get_string_len(member), 1099);
	ck_assert(json_object_object_get_ex(read, "rule", &member));
	ck_assert_str_eq(json_object_get_string(member), "\"}?{\"");
	json_object_put(read);
	ces_json_free(&record);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("journal");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t,
		       an_allowed_run_is_recorded_with_all_that_it_gets_and_no_word_of_its_command);
	tcase_add_test(t, devices_ports_binds_and_approvals_are_recorded);
	tcase_add_test(t, a_pull_has_no_mounts);
	tcase_add_test(t, a_denial_has_what_was_asked_and_why_it_was_denied);
	tcase_add_loop_test(t, each_verb_has_its_name_and_any_other_number_has_none, 0,
			    CES_COUNT(verbs));
	tcase_add_test(t, those_who_signed_are_recorded_and_nobody_if_nobody_had_to);
	tcase_add_test(t, ends_proofs_counts_and_strangers_have_their_forms);
	tcase_add_loop_test(t, the_runs_number_takes_its_place_in_a_path, 0, CES_COUNT(templates));
	tcase_add_test(t, a_path_is_recorded_exactly_and_in_ascii);
	tcase_add_test(t, the_longest_path_is_recorded_whole);
	tcase_add_test(t, no_text_of_a_callers_changes_the_form_of_a_record);
	return run_suite("journal", t);
}
