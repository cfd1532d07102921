/* ces-resolve: leads one pull, from the reference to the last layer. It reads the answers that
 * ces-unpack made from a registry's documents, says what is to be fetched, and asks ces-store for
 * each step (wish.h). It has an account of its own, no file, no network, no exec.
 * Must not be believed: ces-store hashes the documents, and checks each wish.
 *
 * A hijacked ces-resolve gains this: it may lie about the content of its own image, as ces-unpack
 * could before it. It never has the login. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/resolve/image.h"
#include "helper/resolve/sandbox.h"
#include "helper/resolve/talk.h"

static int take_order(struct ces_resolve_order *ret, struct ces_error *err)
{
	ssize_t n = recv(CES_RESOLVE_SESSION, ret, sizeof(*ret), 0);

	return n == (ssize_t)sizeof(*ret) && ret->reference[sizeof(ret->reference) - 1] == '\0' &&
		       ret->layout[sizeof(ret->layout) - 1] == '\0'
		   ? 0
		   : ces_error_set(err, CES_E_USAGE,
				   "ces-resolve is started by CES and does nothing by itself");
}

int main(void)
{
	static struct ces_resolve_order order;
	struct ces_error err = {0};

	(void)signal(SIGPIPE, SIG_IGN); /* (a ces-unpack that died gave the reason, or shows it) */
	if (take_order(&order, &err) < 0 || ces_resolve_confine(NULL, 0, &err) < 0 ||
	    ces_resolve_image(&order, &err) < 0) {
		ces_talk_failed(&err);
		_exit(1);
	}
	_exit(0);
}
