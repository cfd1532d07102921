/* Takes the place of compute.cu if there is no nvcc and the devices are fakes: loads libcuda.so.1,
 * as a program of CUDA's does, and opens the GPU's nodes. It computes nothing, and must not say
 * that it did. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>

int main(void)
{
	int opened = 0;
	glob_t nodes;

	if (dlopen("libcuda.so.1", RTLD_NOW) == NULL) {
		printf("devices: 0, %s\n", dlerror());
		return 3;
	}
	if (glob("/dev/nvidia[0-9]*", 0, NULL, &nodes) == 0)
		for (size_t i = 0; i < nodes.gl_pathc; i++)
			/* (a fake has no driver that answers; a node that is not granted gives
			 * EPERM) */
			if (open(nodes.gl_pathv[i], O_RDWR | O_CLOEXEC) >= 0 || errno == ENXIO)
				opened++;
	printf("devices: %d\n", opened);
	return opened == 0 ? 3 : 0;
}
