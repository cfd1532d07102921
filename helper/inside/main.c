/* ces-inside turns the empty namespaces of a run into a container, and becomes its runtime. It is
 * root of these namespaces and nobody on the host (common/inside.h). Must not take a step
 * before the gate but reading: until then the host's tree is its root directory. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/inside/inside.h"

uint32_t ces_inside_place;

void ces_inside_fail(enum ces_inside_step step)
{
	struct ces_inside_report report = {
	    .step = step, .number = errno, .place = ces_inside_place};

	(void)ces_write_full(CES_INSIDE_REPORT, &report, sizeof(report), -1);
	_exit(125);
}

/* The runtime must not have them. Without it, nobody would learn of its start. */
static void close_on_exec(void)
{
	for (int fd = CES_INSIDE_GATE; fd <= CES_INSIDE_ORDER; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			_exit(125);
}

/* (When the other end is gone, so is ces-session: nothing is started.) */
static void wait_at_gate(void)
{
	char byte;

	if (write(CES_INSIDE_GATE, "", 1) != 1 || ces_read_full(CES_INSIDE_GATE, &byte, 1, -1) < 0)
		_exit(125);
}

/* The directory belongs to root of this namespace. Nobody but this process can write to it: the
 * tree is in no other namespace, and nothing of the image runs yet. */
static void write_config(const char *text)
{
	CES_CLEANUP_FD int fd =
	    open("/bundle/config.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 || ces_write_full(fd, text, strlen(text), -1) < 0)
		ces_inside_fail(CES_STEP_CONFIG);
}

int main(void)
{
	struct ces_inside inside;
	const char *config;

	close_on_exec();
	(void)umask(022);
	ces_inside_read(CES_INSIDE_ORDER, &inside);
	config = ces_inside_config(&inside);
	wait_at_gate();
	ces_inside_set_up(&inside);
	ces_inside_tree(&inside);
	ces_inside_settle(&inside);
	write_config(config);
	ces_inside_execute(&inside);
}
