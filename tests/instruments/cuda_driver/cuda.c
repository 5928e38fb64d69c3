/* The entry points of the CUDA driver that the anchors use: every kernel takes a known time.

LLEM_TEST_CUDA_COMPUTE_US, LLEM_TEST_CUDA_MEMORY_US: of one launch.
LLEM_TEST_CUDA_FAULT: "init" refuses to start, "kernel" refuses the source, "kill:N" ends the process
with the N-th wait, "lost:N" lets the N-th wait fail. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
enum { SUCCESS = 0, INVALID_VALUE = 1, NOT_INITIALIZED = 3, INVALID_PTX = 218, LOST = 719 };
enum { COMPUTE = 1, MEMORY = 2, MOST = 16 };

static int started, current = -1, waits;
static int64_t until_ns[MOST];

static const char *fault(void) {
    const char *said = getenv("LLEM_TEST_CUDA_FAULT");
    return said ? said : "";
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int strikes(const char *what) {
    size_t length = strlen(what);
    return !strncmp(fault(), what, length) && waits >= atoi(fault() + length);
}

static int64_t takes_ns(const char *variable) {
    const char *said = getenv(variable);
    return 1000LL * (said ? atoll(said) : 1000);
}

EXPORT int cuInit(unsigned flags) {
    if (!strcmp(fault(), "init")) return 999;
    started = flags == 0;
    return SUCCESS;
}

EXPORT int cuDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }

EXPORT int cuDeviceGetCount(int *count) {
    if (!started) return NOT_INITIALIZED;
    const char *shown = getenv("CUDA_VISIBLE_DEVICES");
    *count = 1;
    for (; shown && *shown; shown++) *count += *shown == ',';
    return SUCCESS;
}

EXPORT int cuDeviceGet(int *device, int number) { return *device = number, SUCCESS; }
EXPORT int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) {
    return device < MOST && flags == 4 ? SUCCESS : INVALID_VALUE;
}
EXPORT int cuDevicePrimaryCtxRetain(void **context, int device) {
    return *context = (void *)(intptr_t)(device + 1), SUCCESS;
}
EXPORT int cuDevicePrimaryCtxRelease_v2(int device) { return (void)device, SUCCESS; }
EXPORT int cuCtxSetCurrent(void *context) {
    current = (int)(intptr_t)context - 1;
    return current >= 0 ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuModuleLoadData(void **module, const char *source) {
    if (!strcmp(fault(), "kernel")) return INVALID_PTX;
    *module = module;
    return strstr(source, ".visible .entry llem_compute") ? SUCCESS : INVALID_PTX;
}

EXPORT int cuModuleGetFunction(void **function, void *module, const char *name) {
    *function = (void *)(intptr_t)(strcmp(name, "llem_compute") ? MEMORY : COMPUTE);
    return module ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuMemAlloc_v2(uint64_t *to, size_t bytes) {
    static uint64_t next = 1ULL << 32;
    *to = next;
    next += bytes;
    return SUCCESS;
}

EXPORT int cuMemsetD32_v2(uint64_t to, unsigned value, size_t count) {
    return (void)value, to && count ? SUCCESS : INVALID_VALUE;
}

EXPORT int cuLaunchKernel(void *kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                          unsigned bz, unsigned shared, void *stream, void **values, void **extra) {
    (void)shared, (void)stream, (void)extra;
    if (current < 0 || gx * gy * gz != 8192 || bx * by * bz != 256) return INVALID_VALUE;
    int compute = (intptr_t)kernel == COMPUTE;
    /* what the kernel is given: an address, and turns or a further address and a number of vectors */
    if (*(uint64_t *)values[0] < 1ULL << 32) return INVALID_VALUE;
    if (compute ? !*(unsigned *)values[1] : *(unsigned *)values[2] != (256u << 20) / 16) return INVALID_VALUE;
    int64_t from = until_ns[current] > now_ns() ? until_ns[current] : now_ns();
    until_ns[current] = from + takes_ns(compute ? "LLEM_TEST_CUDA_COMPUTE_US" : "LLEM_TEST_CUDA_MEMORY_US");
    return SUCCESS;
}

EXPORT int cuCtxSynchronize(void) {
    waits++;
    if (strikes("kill:")) kill(getpid(), SIGKILL);
    if (strikes("lost:")) return LOST;
    struct timespec t = {until_ns[current] / 1000000000, until_ns[current] % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL)) {}
    return SUCCESS;
}

EXPORT int cuGetErrorString(int code, const char **text) {
    *text = code == LOST ? "unspecified launch failure" : code == INVALID_PTX ? "a PTX JIT compilation failed" : "unknown error";
    return SUCCESS;
}
