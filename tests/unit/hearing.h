/* A test's directory and the notes of its steps, and what a client reads at CES_FD_EVENT. The
 * test's own descriptors keep away from those that CES's programs have. */
#ifndef CES_TESTS_UNIT_HEARING_H
#define CES_TESTS_UNIT_HEARING_H

#include <fcntl.h>
#include <unistd.h>

#include "common/wire_stream.h"
#include "helper/core/fds.h"
#include "tests/unit/directory.h"
#include "tests/unit/noted.h"

static int events; /* what the client reads */

static int move_up(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, 40);

	close(fd);
	return up;
}

static void hearing_begin(void)
{
	int low[2];

	directory_begin();
	directory = move_up(directory);
	noted_begin();
	ck_assert_int_eq(pipe2(low, O_CLOEXEC | O_NONBLOCK), 0);
	events = move_up(low[0]);
	low[1] = move_up(low[1]);
	ck_assert_int_eq(dup2(low[1], CES_FD_EVENT), CES_FD_EVENT);
	close(low[1]);
}

static void hear(const struct ces_wire_schema *schema, void *event)
{
	struct ces_error err;

	ck_assert_int_eq(ces_wire_receive(events, schema, 8192, -1, event, &err), 1);
}

#endif
