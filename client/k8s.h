/* `ces-run k8s`: writes the requested run as a Kubernetes Job manifest. */
#ifndef CES_CLIENT_K8S_H
#define CES_CLIENT_K8S_H

#include "client/options.h"

/* Prints the manifest on stdout, or writes it to options->output. It runs nothing, and asks the
 * helper for nothing. The cluster's own admission decides what happens with the manifest. Returns
 * the exit status. */
int ces_k8s_print(struct ces_options *options);

#endif
