/* Slurm's plugin: `srun --ces-image=IMAGE command` runs each task in a container of CES. See
 * spank(8) and slurm/spank.h.
 *
 * Slurm loads it into srun, sbatch and salloc, and on each node into slurmstepd, which is root
 * there. So as root it does nothing but name its options. All else happens in a task's own process,
 * after Slurm has given up root, in the place of the user's command. It gives nothing: ces-client
 * asks there as it does in any other process of the user's, and the policy decides. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
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

/* ces-client's names for them. The image is its operand. */
static const char *const names[OPTIONS] = {NULL, "--profile", "--project", "--env-file",
					   "--opt-file"};

/* A task's place in the step. */
static const char *const settings[] = {
    "SLURM_JOB_ID",       "SLURM_STEP_ID",       "SLURM_PROCID",       "SLURM_LOCALID",
    "SLURM_NODEID",       "SLURM_NTASKS",        "SLURM_NNODES",       "SLURM_CPUS_PER_TASK",
    "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT"};
#define SETTINGS (sizeof(settings) / sizeof(*settings))

static bool typed[OPTIONS]; /* in srun, sbatch or salloc */

/* On a node nobody would see a message, and ces-client checks again. */
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

/* Of a user's tasks on this node that want one image, the first pulls it, and the others wait for
 * it: those of a step, and those of a job array, which would be more pulls at once than a policy
 * allows. The task that takes the name of a socket pulls; the kernel frees the name when a task
 * dies. A stranger can take the name too, and listen or not. Then each task pulls: it looks at the
 * owner of the other end before it waits, and does not wait to be connected. */
#define TRIES 100

enum turn { MINE, NONE, PULLED, FAILED, ENDED };

static socklen_t name_turn(struct sockaddr_un *name, const char *image)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
	int length;

	for (; *image != '\0'; image++)
		hash = (hash ^ (unsigned char)*image) * 0x100000001b3;
	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	length = snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1, "ces-pull/%u/%016" PRIx64,
			  getuid(), hash);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

/* What the task that has the turn says in the end. */
static enum turn await(int fd)
{
	struct ucred owner = {0};
	socklen_t size = sizeof(owner);
	char outcome;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &size) < 0 || owner.uid != getuid() ||
	    fcntl(fd, F_SETFL, 0) < 0)
		return NONE;
	if (read(fd, &outcome, 1) != 1)
		return ENDED;
	return outcome == 'f' ? FAILED : PULLED;
}

/* Takes the turn, then *ret_fd is its socket, or waits for the end of another's. */
static enum turn take_turn(const char *image, int *ret_fd)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	struct sockaddr_un name;
	socklen_t size = name_turn(&name, image);

	for (int i = 0; i < TRIES; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		enum turn turn = NONE;

		if (fd < 0)
			return NONE;
		if (bind(fd, (struct sockaddr *)&name, size) == 0 && listen(fd, SOMAXCONN) == 0) {
			*ret_fd = fd;
			return MINE;
		}
		if (connect(fd, (struct sockaddr *)&name, size) == 0)
			turn = await(fd);
		else if (errno == ECONNREFUSED)
			turn = ENDED; /* or it does not listen yet */
		(void)close(fd);
		if (turn != ENDED)
			return turn;
		(void)nanosleep(&moment, NULL);
	}
	return NONE;
}

static void end_turn(int fd, bool pulled)
{
	int waiting;

	for (int i = 0; i < SOMAXCONN && (waiting = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;
	     i++) {
		(void)send(waiting, pulled ? "p" : "f", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)close(waiting);
	}
	(void)close(fd);
}

/* Pulls what is not on this node yet. */
static void have(const char *image, char **environment)
{
	while (!client("inspect", image, environment, true)) {
		int fd = -1;
		enum turn turn = take_turn(image, &fd);
		bool pulled;

		if (turn == FAILED) {
			(void)dprintf(STDERR_FILENO,
				      "ces: another task could not pull the image\n");
			_exit(REFUSED);
		}
		if (turn == PULLED)
			continue;
		/* it may have come while the turn did */
		pulled = (turn == MINE && client("inspect", image, environment, true)) ||
			 client("pull", image, environment, false);
		if (turn == MINE)
			end_turn(fd, pulled);
		if (!pulled)
			_exit(REFUSED);
		return;
	}
}

static bool has_gpus(char **environment)
{
	for (; *environment != NULL; environment++)
		if (strncmp(*environment, "SLURM_STEP_GPUS=", 16) == 0 ||
		    strncmp(*environment, "SLURM_JOB_GPUS=", 15) == 0)
			return true;
	return false;
}

/* Runs ces-client run OPTION... IMAGE COMMAND... in place of COMMAND. */
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
