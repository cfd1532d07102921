/* Slurm's plugin: `srun --ces-image=IMAGE command` runs each task in a container of CES. See
 * spank(8) and slurm/spank.h.
 *
 * Slurm loads it into srun, sbatch and salloc, and on each node into slurmstepd, which is root
 * there. So as root it does nothing but name its options and make one empty file in memory: no
 * byte of a user's is read. All else happens in a task's own process, after Slurm has given up
 * root, in the place of the user's command. It gives nothing: ces-client asks there as it does in
 * any other process of the user's, and the policy decides. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <slurm/slurm.h>
#include <slurm/spank.h>

#ifndef CES_CLIENT
#define CES_CLIENT "/usr/bin/ces-client"
#endif

#define VALUE_MAX 4096
#define REFUSED   125

SPANK_PLUGIN(ces, 1)

enum { IMAGE, PROFILE, PROJECT, ENV_FILE, OPT_FILE, OPTIONS };

static int check(int option, const char *value, int remote);

static struct spank_option options[OPTIONS] = {
    [IMAGE] = {"ces-image", "IMAGE", "run each task in a container of this image (CES)", 1, IMAGE,
	       check},
    [PROFILE] = {"ces-profile", "NAME", "run each task in a container, by this profile of the site",
		 1, PROFILE, check},
    [PROJECT] = {"ces-project", "PROJECT", "project of the container, if you are in several", 1,
		 PROJECT, check},
    [ENV_FILE] = {"ces-env-file", "FILE", "variables of the container, one NAME=value a line", 1,
		  ENV_FILE, check},
    [OPT_FILE] = {"ces-opt-file", "FILE", "more options, as ces-client run has them", 1, OPT_FILE,
		  check},
};

/* What ces-client calls them; the image is its operand. */
static const char *const names[OPTIONS] = {NULL, "--profile", "--project", "--env-file",
					   "--opt-file"};

/* What a task knows of its place in the step. */
static const char *const settings[] = {
    "SLURM_JOB_ID",       "SLURM_STEP_ID",       "SLURM_PROCID",       "SLURM_LOCALID",
    "SLURM_NODEID",       "SLURM_NTASKS",        "SLURM_NNODES",       "SLURM_CPUS_PER_TASK",
    "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT"};
#define SETTINGS (sizeof(settings) / sizeof(*settings))

static bool typed[OPTIONS]; /* in srun, sbatch or salloc */

/* On a node nobody would see a message, and ces-client looks again. */
static int check(int option, const char *value, int remote)
{
	size_t length;

	if (remote)
		return 0;
	length = value != NULL ? strnlen(value, VALUE_MAX) : 0;
	typed[option] = true;
	if (length == 0 || length == VALUE_MAX) {
		slurm_error("--%s: type between 1 and %d characters", options[option].name,
			    VALUE_MAX - 1);
		return -1;
	}
	for (const char *c = value; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f) {
			slurm_error("--%s: leave out the control character (a newline, perhaps)",
				    options[option].name);
			return -1;
		}
	return 0;
}

int slurm_spank_init(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < OPTIONS; i++)
		if (spank_option_register(spank, &options[i]) != ESPANK_SUCCESS) {
			slurm_error("ces: cannot add the option --%s", options[i].name);
			return -1;
		}
	return 0;
}

int slurm_spank_init_post_opt(spank_t spank, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = PROJECT; i < OPTIONS && !spank_remote(spank); i++)
		if (typed[i] && !typed[IMAGE] && !typed[PROFILE]) {
			slurm_error("--%s is for a container: type --ces-image=IMAGE too",
				    options[i].name);
			return -1;
		}
	return 0;
}

__attribute__((noreturn)) static void give_up(const char *what)
{
	(void)dprintf(STDERR_FILENO, "ces: %s: %s\n", what, strerror(errno));
	_exit(REFUSED);
}

/* Where slurmstepd is killed, or crashes, nobody would end the step's tasks, and Slurm would start
 * the job again beside them. The end of ces-client is the end of its run, whole. */
static void end_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(REFUSED);
}

/* In a child: all three are /dev/null, or stderr stays for what ces-client says. */
static void silence(bool quiet)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    (quiet && dup2(null, STDERR_FILENO) < 0))
		give_up("/dev/null");
}

/* Runs `ces-client VERB -q -- IMAGE`; quiet: without a word. Whether it succeeded. */
static bool client(const char *verb, const char *image, char **environment, bool quiet)
{
	const char *const argv[] = {"ces-client", verb, "-q", "--", image, NULL};
	pid_t task = getpid(), pid = fork();
	int status;

	if (pid < 0)
		give_up("starting ces-client");
	if (pid == 0) {
		end_with(task);
		silence(quiet);
		(void)execve(CES_CLIENT, (char **)argv, environment);
		give_up(CES_CLIENT);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A file in memory that the tasks of a step have in common on this node. Who has it locked pulls;
 * the kernel takes the lock from a task that dies. After a pull that failed it has a byte. */
static int turn = -1;

static bool lock_turn(short type)
{
	struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
	int status;

	do
		status = fcntl(turn, F_SETLKW, &whole);
	while (status < 0 && errno == EINTR);
	return status == 0;
}

/* Pulls what is not on this node yet: one task does, the others wait for it, and fail as it did.
 * Without the file each task asks, and CES fetches each layer once. */
static void have(const char *image, char **environment)
{
	char failed;

	if (client("inspect", image, environment, true))
		return;
	if (lock_turn(F_WRLCK)) {
		if (pread(turn, &failed, 1, 0) == 1) {
			(void)dprintf(STDERR_FILENO,
				      "ces: another task of this step could not pull the image\n");
			_exit(REFUSED);
		}
		if (client("inspect", image, environment, true)) {
			(void)lock_turn(F_UNLCK);
			return;
		}
	}
	if (!client("pull", image, environment, false)) {
		(void)!pwrite(turn, "f", 1, 0);
		_exit(REFUSED);
	}
	(void)lock_turn(F_UNLCK);
}

static bool has_gpus(char **environment)
{
	for (; *environment != NULL; environment++)
		if (strncmp(*environment, "SLURM_STEP_GPUS=", 16) == 0 ||
		    strncmp(*environment, "SLURM_JOB_GPUS=", 15) == 0)
			return true;
	return false;
}

/* ces-client run OPTION... IMAGE COMMAND..., in the place of COMMAND. */
__attribute__((noreturn)) static void become(char *values[OPTIONS], int argc, char **argv,
					     char **environment)
{
	const char **words = calloc((size_t)argc + 2 * (OPTIONS + SETTINGS) + 8, sizeof(*words));
	size_t n = 0;

	if (words == NULL)
		give_up("starting the container");
	words[n++] = "ces-client";
	words[n++] = "run";
	words[n++] = "-qi";
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		words[n++] = "-t";
	if (has_gpus(environment))
		words[n++] = "--gpu=all"; /* that the job may open */
	for (size_t i = 0; i < SETTINGS; i++) {
		words[n++] = "-e";
		words[n++] = settings[i];
	}
	for (size_t i = 0; i < OPTIONS; i++)
		if (names[i] != NULL && values[i] != NULL) {
			words[n++] = names[i];
			words[n++] = values[i];
		}
	words[n++] = "--";
	if (values[IMAGE] != NULL)
		words[n++] = values[IMAGE];
	for (int i = 0; i < argc; i++)
		words[n++] = argv[i];
	(void)execve(CES_CLIENT, (char **)words, environment);
	give_up(CES_CLIENT);
}

/* Comes in slurmstepd before it forks the tasks, with the user's effective ids. */
int slurm_spank_user_init(spank_t spank, int argc, char **argv)
{
	char *image = NULL;

	(void)argc;
	(void)argv;
	if (spank_option_getopt(spank, &options[IMAGE], &image) == ESPANK_SUCCESS)
		turn = memfd_create("ces-turn", MFD_CLOEXEC);
	return 0;
}

/* Comes in the task's process, just before Slurm would execute the command (slurm/spank.h). */
int slurm_spank_task_init(spank_t spank, int plugin_argc, char **plugin_argv)
{
	char *values[OPTIONS] = {NULL}, **argv, **environment;
	uid_t uid, real, effective, saved;
	uint32_t step;
	int argc;

	(void)plugin_argc;
	(void)plugin_argv;
	for (size_t i = 0; i < OPTIONS; i++)
		(void)spank_option_getopt(spank, &options[i], &values[i]);
	if (values[IMAGE] == NULL && values[PROFILE] == NULL)
		return 0;
	if (spank_get_item(spank, S_JOB_STEPID, &step) != ESPANK_SUCCESS ||
	    spank_get_item(spank, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
	    spank_get_item(spank, S_JOB_ARGV, &argc, &argv) != ESPANK_SUCCESS ||
	    spank_get_item(spank, S_JOB_ENV, &environment) != ESPANK_SUCCESS) {
		slurm_error("ces: this version of Slurm does not describe the task; build the "
			    "plugin against it");
		return -1;
	}
	/* the script and the shell of a job run on the node; its steps take the option over */
	if (step > SLURM_MAX_NORMAL_STEP_ID)
		return 0;
	if (getresuid(&real, &effective, &saved) < 0 || real != uid || effective != uid ||
	    saved != uid) {
		slurm_error("ces: the task does not run as the job's user");
		return -1;
	}
	end_with(getppid());
	if (values[IMAGE] != NULL)
		have(values[IMAGE], environment);
	become(values, argc, argv, environment);
}
