/* ces-store: has the image store, for one request. It serves ces-resolve in a pull, collects, lists
 * and removes, with an account that owns the store, and asks ces-session for each step that needs
 * root (step.h). It has no network, no exec, and no way into a layer. Must not be believed: a run
 * checks again what it is about to run.
 *
 * A hijacked ces-store gains this: it may damage or remove what is in the store, change grants, and
 * say of an image what a hijacked ces-resolve may say of its own. It cannot make a layer's content,
 * nor exchange one for another. */
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper/session/object.h"
#include "helper/store/modes.h"
#include "helper/store/root.h"
#include "helper/store/sandbox.h"

static const struct ces_store store = {.dir = -1,
				       .runs = -1,
				       .layers = CES_STORE_LAYERS,
				       .images = CES_STORE_IMAGES,
				       .grants = CES_STORE_GRANTS,
				       .staging = CES_STORE_STAGING,
				       .trash = CES_STORE_TRASH,
				       .locks = CES_STORE_LOCKS};

static int take_order(struct ces_store_order *ret, struct ces_error *err)
{
	return recv(CES_STORE_SESSION, ret, sizeof(*ret), 0) == (ssize_t)sizeof(*ret) &&
		       ret->n <= CES_LAYERS_MAX
		   ? 0
		   : ces_error_set(err, CES_E_USAGE,
				   "ces-store is started by CES and does nothing by itself");
}

static int work(const struct ces_store_order *order, uint64_t *ret_end, struct ces_error *err)
{
	switch ((enum ces_store_mode)order->mode) {
	case CES_STORE_PULL:
		return ces_mode_pull(order, &store, ret_end, err);
	case CES_STORE_SETTLE:
		ces_store_settle(&store, order);
		return 0;
	case CES_STORE_COLLECT:
		return ces_mode_collect(order, &store, err);
	case CES_STORE_LIST:
		return ces_mode_list(order, &store, err);
	case CES_STORE_INSPECT:
		return ces_mode_inspect(order, &store, err);
	case CES_STORE_REMOVE:
		return ces_mode_remove(order, &store, err);
	default:
		return ces_error_set(err, CES_E_INTERNAL, "an unknown order");
	}
}

int main(void)
{
	static struct ces_store_order order;
	static struct ces_step step;
	char boot[CES_BOOT_LENGTH + 1];
	struct ces_error err = {0};
	uint64_t end = 0;

	/* (the name of this boot is in /proc, which is out of reach soon) */
	if (take_order(&order, &err) < 0 || ces_object_boot(boot, &err) < 0 ||
	    ces_store_confine(&err) < 0 || work(&order, &end, &err) < 0) {
		ces_root_end(&step, &err);
		_exit(1);
	}
	step.number = end;
	ces_root_end(&step, NULL);
	_exit(0);
}
