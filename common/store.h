/* The program that has the image store, and its account. */
#ifndef CES_COMMON_STORE_H
#define CES_COMMON_STORE_H

#include "common/paths.h"

#define CES_STORE_PATH   CES_LIBEXECDIR "/ces-store"
#define CES_STORE_USER   "ces-store"
#define CES_UPGRADE_PATH CES_LIBEXECDIR "/upgrade-store" /* packaging/upgrade-store */

#endif
