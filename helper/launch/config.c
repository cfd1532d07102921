/* Says what ces-inside is to make, and to write into the runtime's config.json. Must not do any of
 * it: root only copies values of the plan, and words of the caller and the image as data. */
#include "helper/launch/config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "common/inside.h"
#include "helper/session/json.h"

#define FILTER_MAX (1u << 20)
#define SEALS      (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* Makes the two parts of the command line by Docker's rule: arguments replace CMD; a new entrypoint
 * replaces the image's and drops its CMD. */
static void command_parts(const struct ces_plan *plan, struct ces_strings parts[2])
{
	const struct ces_request *request = plan->session->request;
	bool replaced = (request->flags & CES_FLAG_ENTRYPOINT) != 0;
	bool named = request->entrypoint != NULL && request->entrypoint[0] != '\0';

	parts[0] = plan->image->entrypoint;
	if (replaced)
		parts[0] = (struct ces_strings){(char **)(uintptr_t)&request->entrypoint, named};
	parts[1] = request->args;
	if (request->args.n == 0 && !replaced)
		parts[1] = plan->image->cmd;
}

const char *ces_config_command(const struct ces_plan *plan)
{
	struct ces_strings parts[2];

	command_parts(plan, parts);
	for (size_t i = 0; i < CES_COUNT(parts); i++)
		if (parts[i].n > 0)
			return parts[i].v[0];
	return NULL;
}

int ces_config_filter(char **ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = open(CES_SECCOMP_BPF_PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t length;

	if (fd < 0 || ces_read_file(fd, FILTER_MAX, ret, &length) < 0)
		return ces_error_errno(err, CES_E_HOST,
				       "the system call filter; CES is not fully installed");
	(*ret)[strcspn(*ret, "\n")] = '\0';
	return 0;
}

static void put_gids(const struct ces_plan *plan, struct ces_inside_order *order)
{
	const struct ces_u64s *groups = &plan->image->groups;

	/* (of the image's user, for whom alone they hold) */
	for (size_t i = 0; i < groups->n && plan->uid == plan->image->uid; i++)
		if (groups->v[i] < CES_IDMAP_SPAN &&
		    order->n_gids < CES_INSIDE_GIDS - CES_DECISION_GROUPS)
			order->gids[order->n_gids++] = (uint32_t)groups->v[i];
	for (size_t i = 0; i < plan->map.n_project_gids; i++)
		order->gids[order->n_gids++] = plan->map.project_gids[i];
}

static void put_numbers(const struct ces_plan *plan, struct ces_inside_order *ret)
{
	const struct ces_decision *decision = plan->decision;

	*ret = (struct ces_inside_order){
	    .magic = CES_INSIDE_MAGIC,
	    .size = sizeof(*ret),
	    .shm = decision->limits.shm,
	    .cpus = decision->limits.cpus,
	    .display = decision->display,
	    .uid = plan->uid,
	    .gid = plan->gid,
	    .rows = plan->rows,
	    .columns = plan->columns,
	    .runc = plan->runc,
	    .tty = plan->tty,
	    .root_read_only = decision->read_only,
	    .proxy = decision->proxy[0] != '\0',
	    .same_uid = decision->identity == CES_IDENTITY_SAME_UID,
	};
	if (decision->display > 0)
		memcpy(ret->cookie, decision->cookie, sizeof(ret->cookie));
	put_gids(plan, ret);
	for (size_t i = 0; i < plan->n_mounts; i++) {
		ret->read_only[i] = plan->mounts[i].read_only;
		ret->file[i] = plan->mounts[i].file;
	}
	for (size_t i = 0; i < decision->n_tmpfs; i++)
		ret->sizes[i] = decision->tmpfs[i].size;
}

/* The rows of words, in order. */
struct words {
	struct ces_inside_order *order;
	struct ces_bytes_out bytes;
};

static void put(struct words *to, enum ces_inside_row row, const char *word)
{
	ces_bytes_add(&to->bytes, word, strlen(word) + 1);
	to->order->words[row]++;
}

static void put_all(struct words *to, enum ces_inside_row row, const struct ces_strings *words)
{
	for (size_t i = 0; i < words->n; i++)
		put(to, row, words->v[i]);
}

static void put_texts(const struct ces_plan *plan, struct words *to)
{
	const char *image_dir = plan->image->workdir, *asked = plan->session->request->workdir;
	const char *cwd = asked != NULL ? asked : image_dir;
	char context[CES_SELINUX_CONTEXT];
	const char *const texts[CES_INSIDE_TEXTS] = {
	    [CES_INSIDE_HOSTNAME] = plan->hostname,
	    [CES_INSIDE_RUNTIME] = plan->runtime,
	    [CES_INSIDE_CONTEXT] = context,
	    [CES_INSIDE_CWD] = cwd != NULL && cwd[0] == '/' ? cwd : "/",
	    [CES_INSIDE_IMAGE_HOME] = plan->image->home != NULL ? plan->image->home : "/",
	    [CES_INSIDE_HOME] = plan->decision->home,
	    [CES_INSIDE_USER] = plan->session->caller.user,
	    [CES_INSIDE_WORKDIR] = image_dir != NULL ? image_dir : "/",
	};

	ces_selinux_runtime_context(&plan->selinux, context);
	for (size_t i = 0; i < CES_INSIDE_TEXTS; i++)
		put(to, CES_INSIDE_ROW_TEXTS, texts[i]);
}

/* Puts the paths of the driver's files that have this place. */
static void put_driver(const struct ces_gpus *gpus, enum ces_cdi_place place,
		       enum ces_inside_row row, struct words *to)
{
	for (size_t i = 0; i < gpus->n_edits; i++) {
		const struct ces_cdi_edits *edits = gpus->edits[i];

		for (size_t j = 0; j < edits->n_mounts; j++)
			if (edits->mounts[j].place == place)
				put(to, row, edits->mounts[j].container_path);
		for (size_t j = 0; j < edits->n_links && place == CES_CDI_LINKED; j++)
			if (edits->links[j].place == place)
				put(to, row, edits->links[j].path);
	}
}

static void put_words(const struct ces_plan *plan, struct words *to)
{
	const struct ces_gpus *gpus = &plan->gpus;
	struct ces_strings parts[2];

	put_texts(plan, to);
	for (size_t i = 0; i < plan->n_mounts; i++)
		put(to, CES_INSIDE_ROW_MOUNTS, plan->mounts[i].destination);
	for (size_t i = 0; i < plan->decision->n_tmpfs; i++)
		put(to, CES_INSIDE_ROW_TMPFS, plan->decision->tmpfs[i].destination);
	command_parts(plan, parts);
	for (size_t i = 0; i < CES_COUNT(parts); i++)
		put_all(to, CES_INSIDE_ROW_COMMAND, &parts[i]);
	put_all(to, CES_INSIDE_ROW_IMAGE_ENV, &plan->image->env);
	for (size_t i = 0; i < gpus->n_edits; i++)
		put_all(to, CES_INSIDE_ROW_GPU_ENV, &gpus->edits[i]->env);
	put_all(to, CES_INSIDE_ROW_CALLER_ENV, &plan->session->request->env);
	for (size_t i = 0; i < gpus->n_names; i++)
		put(to, CES_INSIDE_ROW_GPUS, strchr(gpus->names[i], '=') + 1);
	put_driver(gpus, CES_CDI_LIBRARY, CES_INSIDE_ROW_LIBRARIES, to);
	put_driver(gpus, CES_CDI_LINKED, CES_INSIDE_ROW_LINKS, to);
}

int ces_config_order(const struct ces_plan *plan, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = memfd_create("ces-order", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct ces_inside_order order;
	struct words to = {.order = &order};
	int result = 0;

	put_numbers(plan, &order);
	put_words(plan, &to);
	order.length = to.bytes.used;
	if (fd < 0 || to.bytes.failed || ces_write_full(fd, &order, sizeof(order), -1) < 0 ||
	    ces_write_full(fd, to.bytes.text, to.bytes.used, -1) < 0 ||
	    lseek(fd, 0, SEEK_SET) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		result = ces_error_errno(err, CES_E_HOST, "config.json");
	free(to.bytes.text);
	if (result == 0)
		*ret = ces_steal_fd(&fd);
	return result;
}
