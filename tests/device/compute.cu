/* Computes on the GPU and checks what came out, for tests/device/gpu.sh: compute sum|write|look [MEBIBYTES]
 *
 * sum: adds two vectors and compares each element. write: fills memory with a mark, and ends without giving it back. look: takes
 * as much memory, and counts the marks of an earlier program in it. Built with nvcc -cudart static: of the machine it needs
 * libcuda alone. It must not take more memory than it is asked to. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#define MARK 0x5afeda7a5afeda7aull

static void must(cudaError_t result, const char *what)
{
	if (result == cudaSuccess)
		return;
	printf("%s: %s\n", what, cudaGetErrorString(result));
	exit(3);
}

__global__ void add(const float *a, const float *b, float *c, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		c[i] = a[i] + b[i];
}

__global__ void fill(unsigned long long *words, size_t n)
{
	for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x)
		words[i] = MARK;
}

__global__ void count(const unsigned long long *words, size_t n, unsigned long long *marks)
{
	for (size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x)
		if (words[i] == MARK)
			atomicAdd(marks, 1ull);
}

static int sum(void)
{
	const int n = 1 << 22;
	std::vector<float> a(n), b(n), c(n);
	float *da, *db, *dc;

	for (int i = 0; i < n; i++)
		a[i] = (float)i, b[i] = 0.5f;
	must(cudaMalloc(&da, n * sizeof(float)), "cudaMalloc");
	must(cudaMalloc(&db, n * sizeof(float)), "cudaMalloc");
	must(cudaMalloc(&dc, n * sizeof(float)), "cudaMalloc");
	must(cudaMemcpy(da, a.data(), n * sizeof(float), cudaMemcpyHostToDevice), "copy");
	must(cudaMemcpy(db, b.data(), n * sizeof(float), cudaMemcpyHostToDevice), "copy");
	add<<<n / 256, 256>>>(da, db, dc, n);
	must(cudaGetLastError(), "add");
	must(cudaMemcpy(c.data(), dc, n * sizeof(float), cudaMemcpyDeviceToHost), "copy back");
	for (int i = 0; i < n; i++)
		if (c[i] != a[i] + b[i]) {
			printf("element %d is %f\n", i, c[i]);
			return 4;
		}
	printf("computed %d sums\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	size_t bytes = (argc > 2 ? strtoul(argv[2], NULL, 10) : 64) << 20, n = bytes / sizeof(unsigned long long);
	unsigned long long *words, *marks, found = 0;
	int devices = 0;

	must(cudaGetDeviceCount(&devices), "devices");
	printf("devices: %d\n", devices);
	if (argc < 2 || strcmp(argv[1], "sum") == 0)
		return sum();
	must(cudaMalloc(&words, bytes), "cudaMalloc");
	if (strcmp(argv[1], "write") == 0) {
		fill<<<1024, 256>>>(words, n);
		must(cudaDeviceSynchronize(), "fill");
		printf("wrote %zu marks\n", n);
		fflush(stdout);
		_Exit(0);
	}
	must(cudaMalloc(&marks, sizeof(*marks)), "cudaMalloc");
	must(cudaMemset(marks, 0, sizeof(*marks)), "cudaMemset");
	count<<<1024, 256>>>(words, n, marks);
	must(cudaMemcpy(&found, marks, sizeof(found), cudaMemcpyDeviceToHost), "count");
	printf("found %llu marks of %zu\n", found, n);
	return 0;
}
