/* The program that has the image store, and its account. */
#ifndef CES_COMMON_STORE_H
#define CES_COMMON_STORE_H

#include <sys/sysmacros.h>

#include "common/paths.h"

#define CES_STORE_PATH CES_LIBEXECDIR "/ces-store"
#define CES_STORE_USER "ces-store"
/* of a worker that serves several pulls at once: ces-fetch, ces-fetch-2 and so on */
#define CES_ACCOUNTS 4

/* The last thing that root makes beside the content of a layer: a character device. Only root of
 * the host can make one (mknod(2)), and its number is not that of a whiteout. So no directory of an
 * image's, which may have any owner and mode, can be taken for one of root's. */
#define CES_STORE_SEAL        "sealed"
#define CES_STORE_SEAL_NUMBER makedev(1, 3)

#define CES_UPGRADE_PATH CES_LIBEXECDIR "/upgrade-store" /* packaging/upgrade-store */

#endif
