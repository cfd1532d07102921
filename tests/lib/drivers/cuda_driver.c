/* The fake of libcuda.so.1 that tests/lib/lab/fake_gpus.sh installs: it says that it was loaded. */
#include <unistd.h>

__attribute__((constructor)) static void say(void)
{
	static const char text[] = "libcuda is here\n";

	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
}
