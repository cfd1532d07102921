/* The text of --version. */
#ifndef CES_CLIENT_VERSION_H
#define CES_CLIENT_VERSION_H

#ifndef CES_VERSION
#define CES_VERSION "0.1"
#endif

#endif
