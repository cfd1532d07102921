/* `ces-run k8s`: the run that is asked for, as a Kubernetes Job manifest. */
#ifndef CES_CLIENT_K8S_H
#define CES_CLIENT_K8S_H

#include "client/options.h"

/* Prints the manifest on stdout, or writes it to options->output. Runs nothing, and asks nothing of
 * the helper. The cluster's own admission decides what the cluster does with the manifest. Returns
 * the exit status. */
int ces_k8s_print(struct ces_options *options);

#endif
