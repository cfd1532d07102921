/* A pty for the container. It must leave the user's terminal as it was, on every way out. */
#include "client/terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cleanup.h"

int ces_terminal_open(struct ces_terminal *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	CES_CLEANUP_FD int slave = -1;
	struct termios modes;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return ces_error_errno(err, CES_E_HOST, "cannot make a terminal");
	/* (by the fd and not by the name: /dev/pts may be another one than the pty's) */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return ces_error_errno(err, CES_E_HOST, "cannot open the terminal");
	if (tcgetattr(STDIN_FILENO, &modes) == 0)
		tcsetattr(slave, TCSANOW, &modes);
	*ret =
	    (struct ces_terminal){.master = ces_steal_fd(&master), .slave = ces_steal_fd(&slave)};
	ces_terminal_resize(ret);
	return 0;
}

void ces_terminal_raw(struct ces_terminal *terminal)
{
	struct termios modes;

	if (terminal->master < 0 || tcgetattr(STDIN_FILENO, &terminal->saved) < 0)
		return;
	modes = terminal->saved;
	cfmakeraw(&modes);
	terminal->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &modes) == 0;
}

uint64_t ces_terminal_resize(const struct ces_terminal *terminal)
{
	struct winsize size;

	if (terminal->master < 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	ioctl(terminal->master, TIOCSWINSZ, &size);
	return (uint64_t)size.ws_row << 16 | size.ws_col;
}

void ces_terminal_restore(struct ces_terminal *terminal)
{
	if (terminal->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->saved);
	terminal->raw = false;
}

void ces_terminal_close(struct ces_terminal *terminal)
{
	ces_terminal_restore(terminal);
	ces_cleanup_close(&terminal->master);
	ces_cleanup_close(&terminal->slave);
}
