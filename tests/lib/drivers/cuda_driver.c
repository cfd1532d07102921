/* A fake libcuda.so.1, which tests/lib/lab/fake_gpus.sh installs. It says that it was loaded. */
#include <unistd.h>

__attribute__((constructor)) static void say(void)
{
	static const char text[] = "libcuda is here\n";

	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
}
