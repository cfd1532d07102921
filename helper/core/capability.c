/* Gives up capabilities. Must not give up fewer if something fails: an error ends the request. */
#include "helper/core/capability.h"

#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

int ces_capability_keep(uint64_t kept, uint64_t effect, struct ces_error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	int result = (int)syscall(SYS_capget, &header, data);

	for (size_t i = 0; i < CES_COUNT(data); i++) {
		data[i].permitted &= (uint32_t)(kept >> 32 * i);
		data[i].effective = data[i].permitted & (uint32_t)(effect >> 32 * i);
		data[i].inheritable = 0;
	}
	if (result < 0 || syscall(SYS_capset, &header, data) < 0)
		return ces_error_errno(err, CES_E_HOST, "giving up capabilities");
	return 0;
}
