/* ces-layout: has a registry's images from a directory that an administrator keeps, an OCI image
 * layout, and answers as ces-fetch does. It has an account that owns nothing, no network, and of
 * all files only those below that one directory, which root's order names. Must not read the policy
 * or its environment, nor write to a file. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "helper/layout/sandbox.h"
#include "helper/layout/serve.h"

#define CHANNEL 3

int main(void)
{
	static struct ces_layout_order order;
	struct ces_error err = {0};
	int result;

	(void)signal(SIGPIPE, SIG_IGN);
	result = ces_layout_take_order(CHANNEL, &order, &err);
	if (result == 0)
		result = ces_layout_confine(order.dir, &err);
	if (result == 0)
		result = ces_layout_serve(CHANNEL, &order, &err);
	if (result < 0)
		(void)dprintf(STDERR_FILENO, "ces-layout: %s\n", err.text);
	_exit(result < 0 ? 1 : 0);
}
