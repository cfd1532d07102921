/* Writes the text of a Job. It must write every foreign string as a quoted JSON string (which is
 * YAML too): otherwise a value could add keys to the manifest. */
#include "client/manifest.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "common/cleanup.h"
#include "common/cluster.h"
#include "common/request.h"

#define GIB           ((uint64_t)1 << 30)
#define MEMORY_UNSAID (4 * GIB) /* a cluster needs a figure: what today's guides promise */
#define CLUSTER_TEXT  255       /* a name of 253 bytes, and room to see one that is longer */
#define LABEL_MOST    63
#define NAME_MOST     40 /* generateName adds to it, and a pod's name adds more; 63 in all */

/* ---- YAML ---- */

static int not_text(const char *what, struct ces_error *err)
{
	return ces_error_set(err, CES_E_USAGE, "k8s: %s is not UTF-8 text, which a manifest needs",
			     what);
}

static bool is_utf8(const char *quoted)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *read = NULL;

	if (tokener == NULL)
		return false;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	read = json_tokener_parse_ex(tokener, quoted, (int)strlen(quoted) + 1);
	json_object_put(read);
	json_tokener_free(tokener);
	return read != NULL;
}

static int quote(FILE *out, const char *text, const char *what, struct ces_error *err)
{
	struct json_object *string = json_object_new_string(text);
	const char *quoted = json_object_to_json_string_ext(
	    string, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	bool valid = quoted != NULL && is_utf8(quoted);

	if (valid)
		fputs(quoted, out);
	json_object_put(string);
	return valid ? 0 : not_text(what, err);
}

/* Quotes a text so that it arrives as the user typed it. Kubernetes expands $(NAME) in commands and
 * settings, and reads $$ as a $. */
static int quote_literal(FILE *out, const char *text, const char *what, struct ces_error *err)
{
	CES_CLEANUP_FREE char *doubled = malloc(2 * strlen(text) + 1);
	char *p = doubled;

	if (doubled == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	for (; *text != '\0'; text++) {
		if (*text == '$')
			*p++ = '$';
		*p++ = *text;
	}
	*p = '\0';
	return quote(out, doubled, what, err);
}

/* ---- names ---- */

/* Makes a DNS label from the run's name, or from the last component of the repository. */
static void job_name(const struct ces_job *job, char ret[NAME_MOST + 2])
{
	const char *from = job->request->name;
	size_t n = 0;

	if (from == NULL) {
		from = strrchr(job->decision.image.repository, '/');
		from = from != NULL ? from + 1 : job->decision.image.repository;
	}
	for (; *from != '\0' && n < NAME_MOST; from++) {
		char c = *from;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9'))
			c = '-';
		if (n > 0 || c != '-')
			ret[n++] = c;
	}
	if (n == 0)
		ret[n++] = 'c';
	if (ret[n - 1] != '-')
		ret[n++] = '-';
	ret[n] = '\0';
}

static size_t put(char *ret, size_t at, const char *text, size_t length)
{
	if (at + length >= CLUSTER_TEXT)
		length = CLUSTER_TEXT - 1 - at;
	memcpy(ret + at, text, length);
	return at + length;
}

static int not_a_name(const char *name, struct ces_error *err)
{
	return ces_error_set(err, CES_E_POLICY,
			     "k8s: %.100s is not a name that a cluster can have: the names in the "
			     "policy's \"kubernetes\" do not suit this project or user",
			     name);
}

/* Fills in the names of the user and the project. Either may have characters that a cluster's names
 * cannot have. */
static int expand(const struct ces_job *job, const char *template, size_t max,
		  char ret[CLUSTER_TEXT], struct ces_error *err)
{
	const struct {
		const char *mark, *text;
		size_t length;
	} words[] = {
	    {"{project}", job->decision.project, strlen(job->decision.project)},
	    {"{user}", job->user, strlen(job->user)},
	    {"{user_first}", job->user, strcspn(job->user, "_")},
	};
	size_t at = 0, i;

	while (*template != '\0') {
		for (i = 0; i < CES_COUNT(words); i++)
			if (strncmp(template, words[i].mark, strlen(words[i].mark)) == 0)
				break;
		if (i < CES_COUNT(words)) {
			at = put(ret, at, words[i].text, words[i].length);
			template += strlen(words[i].mark);
		} else {
			at = put(ret, at, template ++, 1);
		}
	}
	ret[at] = '\0';
	if (ces_cluster_name_valid(ret, max))
		return 0;
	return not_a_name(ret, err);
}

/* Names the image by the proxy's path, because images come from the endpoint here. */
static void image_name(const struct ces_decision *d, char *ret, size_t size)
{
	const char *digest = d->locked_digest[0] != '\0' ? d->locked_digest : d->image.digest;
	const char *host = ces_endpoint_layout(d->endpoint) != NULL
			       ? d->image.registry /* (a cluster has no such directory) */
			       : d->endpoint + strlen("https://");

	if (*digest != '\0')
		snprintf(ret, size, "%s/%s@%s", host, d->image.repository, digest);
	else
		snprintf(ret, size, "%s/%s:%s", host, d->image.repository,
			 d->image.tag[0] != '\0' ? d->image.tag : "latest");
}

/* ---- the parts of the manifest ---- */

static int put_head(const struct ces_job *job, struct ces_error *err)
{
	char name[NAME_MOST + 2], namespace[CLUSTER_TEXT], queue[CLUSTER_TEXT];

	job_name(job, name);
	if (expand(job, job->kubernetes->namespace, LABEL_MOST, namespace, err) < 0 ||
	    expand(job, job->kubernetes->queue, LABEL_MOST, queue, err) < 0)
		return -1;
	if (strchr(namespace, '.') != NULL)
		return not_a_name(namespace, err);
	fprintf(job->out,
		"apiVersion: batch/v1\n"
		"kind: Job\n"
		"metadata:\n"
		"  generateName: \"%s\"\n"
		"  namespace: \"%s\"\n"
		"  labels:\n"
		"    kueue.x-k8s.io/queue-name: \"%s\"\n"
		"spec:\n"
		"  backoffLimit: 1\n"
		"  ttlSecondsAfterFinished: 1800\n"
		"  activeDeadlineSeconds: %llu\n"
		"  template:\n",
		name, namespace, queue, (unsigned long long)job->decision.limits.time);
	/* (it leaves out a name that cannot be a label: the cluster itself asks for one) */
	if (ces_cluster_label_valid(job->user))
		fprintf(job->out,
			"    metadata:\n"
			"      labels:\n"
			"        shsuser: \"%s\"\n",
			job->user);
	fputs("    spec:\n"
	      "      restartPolicy: Never\n"
	      "      automountServiceAccountToken: false\n"
	      "      enableServiceLinks: false\n",
	      job->out);
	if (job->kubernetes->gpu_product != NULL && job->decision.gpus > 0)
		fprintf(job->out,
			"      nodeSelector:\n"
			"        nvidia.com/gpu.product: \"%s\"\n",
			job->kubernetes->gpu_product);
	if (job->kubernetes->pull_secret != NULL)
		fprintf(job->out,
			"      imagePullSecrets:\n"
			"        - name: \"%s\"\n",
			job->kubernetes->pull_secret);
	fprintf(job->out,
		"      securityContext:\n"
		"        runAsNonRoot: true\n"
		"        runAsUser: %u\n"
		"        runAsGroup: %u\n"
		"        fsGroup: %u\n"
		"        seccompProfile:\n"
		"          type: RuntimeDefault\n",
		(unsigned)job->decision.uid, (unsigned)job->gid, (unsigned)job->gid);
	return 0;
}

static int put_words(const struct ces_job *job, const char *key, const struct ces_strings *words,
		     struct ces_error *err)
{
	if (words->n == 0)
		return 0;
	fprintf(job->out, "          %s:\n", key);
	for (size_t i = 0; i < words->n; i++) {
		fputs("            - ", job->out);
		if (quote_literal(job->out, words->v[i], "a word for the command", err) < 0)
			return -1;
		fputc('\n', job->out);
	}
	return 0;
}

/* With an empty --entrypoint the first word is the command. */
static int put_command(const struct ces_job *job, struct ces_error *err)
{
	const struct ces_request *request = job->request;
	struct ces_strings command = {0}, args = request->args;
	char *entrypoint = request->entrypoint;

	if ((request->flags & CES_FLAG_ENTRYPOINT) != 0 && entrypoint != NULL) {
		command = (struct ces_strings){&entrypoint, 1};
		if (*entrypoint == '\0') {
			command = args;
			args = (struct ces_strings){0};
		}
	}
	if (put_words(job, "command", &command, err) < 0 || put_words(job, "args", &args, err) < 0)
		return -1;
	if (request->workdir == NULL)
		return 0;
	fputs("          workingDir: ", job->out);
	if (quote(job->out, request->workdir, "-w", err) < 0)
		return -1;
	fputc('\n', job->out);
	return 0;
}

static int put_setting(const struct ces_job *job, const char *pair, struct ces_error *err)
{
	size_t length = strcspn(pair, "=");
	CES_CLEANUP_FREE char *name = strndup(pair, length);

	if (name == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	fputs("            - name: ", job->out);
	if (quote(job->out, name, "a setting's name", err) < 0)
		return -1;
	fputs("\n              value: ", job->out);
	if (quote_literal(job->out, pair[length] == '=' ? pair + length + 1 : "", name, err) < 0)
		return -1;
	fputc('\n', job->out);
	return 0;
}

static bool is_set(const struct ces_request *request, const char *pair)
{
	size_t length = strcspn(pair, "=") + 1;

	for (size_t i = 0; i < request->env.n; i++) {
		if (strncmp(request->env.v[i], pair, length) == 0)
			return true;
	}
	return false;
}

/* A pod has no relay: it connects to the proxy itself, if the cluster's network lets it. The
 * policy's settings come before the caller's, as in a run. */
static int put_proxy(const struct ces_job *job, struct ces_error *err)
{
	char pair[CES_PROXY_TEXT + 16];

	if (job->decision.proxy[0] == '\0')
		return 0;
	for (size_t i = 0; ces_proxy_setting(i, job->decision.proxy, pair, sizeof(pair)); i++) {
		if (put_setting(job, pair, err) < 0)
			return -1;
	}
	return 0;
}

/* A variable that CES sets if there is a proxy. */
static bool is_proxy_setting(const char *entry)
{
	char setting[64];

	for (size_t i = 0; ces_proxy_setting(i, "", setting, sizeof(setting)); i++)
		if (strncmp(entry, setting, strcspn(setting, "=") + 1) == 0)
			return true;
	return false;
}

static int put_env(const struct ces_job *job, struct ces_error *err)
{
	char threads[48];
	const char *const always[] = {"TMP=/scratch", "TMPDIR=/scratch", threads};
	bool proxy = job->decision.proxy[0] != '\0';

	/* (as in a run: a library would count the cpus of the node) */
	(void)snprintf(threads, sizeof(threads), "OMP_NUM_THREADS=%llu",
		       (unsigned long long)(job->decision.limits.cpus + 999) / 1000);
	fputs("          env:\n", job->out);
	for (size_t i = 0; i < CES_COUNT(always); i++) {
		if (!is_set(job->request, always[i]) && put_setting(job, always[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < job->request->env.n; i++) {
		if (!(proxy && is_proxy_setting(job->request->env.v[i])) &&
		    put_setting(job, job->request->env.v[i], err) < 0)
			return -1;
	}
	return put_proxy(job, err);
}

static uint64_t memory_of(const struct ces_job *job)
{
	uint64_t limit = job->decision.limits.memory;

	return job->request->memory_bytes == 0 && limit > MEMORY_UNSAID ? MEMORY_UNSAID : limit;
}

static void put_size(FILE *out, uint64_t bytes)
{
	if (bytes % GIB == 0)
		fprintf(out, "\"%lluGi\"\n", (unsigned long long)(bytes / GIB));
	else
		fprintf(out, "\"%llu\"\n", (unsigned long long)bytes);
}

static void put_resources(const struct ces_job *job)
{
	static const char *const parts[] = {"requests", "limits"};
	uint64_t cpus = job->decision.limits.cpus;

	fputs("          resources:\n", job->out);
	for (size_t i = 0; i < CES_COUNT(parts); i++) {
		fprintf(job->out, "            %s:\n              cpu: ", parts[i]);
		if (cpus % 1000 == 0)
			fprintf(job->out, "\"%llu\"\n", (unsigned long long)(cpus / 1000));
		else
			fprintf(job->out, "\"%llum\"\n", (unsigned long long)cpus);
		fputs("              memory: ", job->out);
		put_size(job->out, memory_of(job));
	}
	if (job->decision.gpus > 0)
		fprintf(job->out, "              nvidia.com/gpu: %llu\n",
			(unsigned long long)job->decision.gpus);
}

static int put_container(const struct ces_job *job, struct ces_error *err)
{
	const struct ces_decision *d = &job->decision;
	char image[1024];

	image_name(d, image, sizeof(image));
	fputs("      containers:\n        - name: main\n          image: ", job->out);
	if (quote(job->out, image, "the image's name", err) < 0)
		return -1;
	fprintf(job->out,
		"\n"
		"          securityContext:\n"
		"            allowPrivilegeEscalation: false\n"
		"            readOnlyRootFilesystem: %s\n"
		"            capabilities:\n"
		"              drop: [\"ALL\"]\n",
		d->read_only ? "true" : "false");
	if (put_command(job, err) < 0 || put_env(job, err) < 0)
		return -1;
	put_resources(job);
	return 0;
}

static int put_mount(const struct ces_job *job, size_t i, struct ces_error *err)
{
	fprintf(job->out, "            - name: memory-%zu\n              mountPath: ", i);
	if (quote(job->out, job->decision.tmpfs[i].destination, "--mount", err) < 0)
		return -1;
	fputc('\n', job->out);
	return 0;
}

static int put_mounts(const struct ces_job *job, struct ces_error *err)
{
	fputs("          volumeMounts:\n"
	      "            - name: data\n"
	      "              mountPath: /safe_data\n"
	      "              readOnly: true\n"
	      "            - name: outputs\n"
	      "              mountPath: /safe_outputs\n"
	      "            - name: scratch\n"
	      "              mountPath: /scratch\n"
	      "            - name: shm\n"
	      "              mountPath: /dev/shm\n",
	      job->out);
	for (size_t i = 0; i < job->decision.n_tmpfs; i++) {
		if (put_mount(job, i, err) < 0)
			return -1;
	}
	return 0;
}

static void put_memory_volume(const struct ces_job *job, uint64_t size)
{
	fputs("          emptyDir:\n            medium: Memory\n            sizeLimit: ", job->out);
	put_size(job->out, size);
}

static int put_claim(const struct ces_job *job, const char *claim, struct ces_error *err)
{
	fputs("          persistentVolumeClaim:\n            claimName: ", job->out);
	if (quote(job->out, claim, "a claim's name", err) < 0)
		return -1;
	fputc('\n', job->out);
	return 0;
}

static int put_volumes(const struct ces_job *job, struct ces_error *err)
{
	char data[CLUSTER_TEXT], outputs[CLUSTER_TEXT];

	if (expand(job, job->kubernetes->data_claim, CLUSTER_TEXT - 2, data, err) < 0 ||
	    expand(job, job->kubernetes->outputs_claim, CLUSTER_TEXT - 2, outputs, err) < 0)
		return -1;
	fputs("      volumes:\n        - name: data\n", job->out);
	if (put_claim(job, data, err) < 0)
		return -1;
	fputs("            readOnly: true\n        - name: outputs\n", job->out);
	if (put_claim(job, outputs, err) < 0)
		return -1;
	fputs("        - name: scratch\n          emptyDir: {}\n        - name: shm\n", job->out);
	put_memory_volume(job, job->decision.limits.shm);
	for (size_t i = 0; i < job->decision.n_tmpfs; i++) {
		fprintf(job->out, "        - name: memory-%zu\n", i);
		put_memory_volume(job, job->decision.tmpfs[i].size);
	}
	return 0;
}

int ces_manifest_put(const struct ces_job *job, struct ces_error *err)
{
	if (put_head(job, err) < 0 || put_container(job, err) < 0 || put_mounts(job, err) < 0)
		return -1;
	return put_volumes(job, err);
}
