/* The fds that go from one of root's programs to the next, beside 0 to 2. */
#ifndef CES_HELPER_CORE_FDS_H
#define CES_HELPER_CORE_FDS_H

#define CES_FD_REQUEST 3 /* pipes of the caller's, which ces-helper opened anew */
#define CES_FD_EVENT   4
#define CES_FD_ORDER   5 /* helper/core/order.h */

#endif
