/* NVML's entry points for starting, ending, and finding GPUs, slices and their processes. */
#include "double.h"
#include <string.h>
#include <unistd.h>

EXPORT int nvmlInitWithFlags(unsigned flags) { return (void)flags, machine_start(); }
EXPORT int nvmlInit_v2(void) { return machine_start(); }
EXPORT int nvmlInit(void) { return machine_start(); }
EXPORT int nvmlShutdown(void) { return machine_end(); }

EXPORT int nvmlDeviceGetCount_v2(unsigned *count) {
    if (!started()) return UNINITIALIZED;
    if (!count) return INVALID_ARGUMENT;
    *count = (unsigned)machine_now()->gpus;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetCount(unsigned *count) { return nvmlDeviceGetCount_v2(count); }

/* A handle is given out as by a call that asks the GPU for its UUID. */
static int give(Handle *found, Handle **out) {
    Call c;
    int code = enter(&c, found, out, "handle");
    if (code == NOT_SUPPORTED) code = SUCCESS;
    if (code == SUCCESS) *out = found;
    return leave(&c, code);
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, Handle **out) {
    if (!started()) return UNINITIALIZED;
    return give(handle_of((int)index, 0), out);
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, Handle **out) {
    if (!started()) return UNINITIALIZED;
    if (!uuid) return INVALID_ARGUMENT;
    Handle *found = handle_by_uuid(uuid);
    return found ? give(found, out) : NOT_FOUND;
}

static int tell(char *out, unsigned size, const char *text) {
    if (!started()) return UNINITIALIZED;
    if (!out) return INVALID_ARGUMENT;
    return snprintf(out, size, "%s", text) < (int)size ? SUCCESS : INSUFFICIENT_SIZE;
}

EXPORT int nvmlSystemGetDriverVersion(char *out, unsigned size) {
    return tell(out, size, machine_now() ? machine_now()->driver : "");
}

EXPORT int nvmlSystemGetNVMLVersion(char *out, unsigned size) {
    return tell(out, size, machine_now() ? machine_now()->nvml : "");
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *out) {
    if (!started()) return UNINITIALIZED;
    if (!out) return INVALID_ARGUMENT;
    *out = (int)machine_now()->cuda;
    return SUCCESS;
}

EXPORT int nvmlSystemGetCudaDriverVersion(int *out) { return nvmlSystemGetCudaDriverVersion_v2(out); }

EXPORT const char *nvmlErrorString(int code) {
    switch (code) {
    case SUCCESS: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
    case INSUFFICIENT_SIZE: return "Insufficient Size";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case 10: return "Timeout";
    case FUNCTION_NOT_FOUND: return "Function Not Found";
    case GPU_IS_LOST: return "GPU is lost";
    case 16: return "GPU requires reset";
    case 18: return "Driver/library version mismatch";
    case 21: return "No data";
    default: return "Unknown Error";
    }
}

/* ---- MIG slices: handles that know their name and memory, and no sensor ---- */

EXPORT int nvmlDeviceIsMigDeviceHandle(Handle *h, unsigned *out) {
    if (!started()) return UNINITIALIZED;
    if (!h || !out) return INVALID_ARGUMENT;
    *out = h->now->parent != NULL;
    return SUCCESS;
}

/* The number among all slices of the index-th of this GPU; -1 if it has not so many. */
static int slice_number(const Handle *h, unsigned index) {
    const Machine *m = machine_now();
    for (int i = 0; i < m->slices; i++)
        if (m->slice[i]->parent == h->now && !index--) return i;
    return -1;
}

EXPORT int nvmlDeviceGetMaxMigDeviceCount(Handle *h, unsigned *out) {
    Call c;
    int code = enter(&c, h, out, "mig");
    if (code == SUCCESS)
        for (*out = 0; slice_number(h, *out) >= 0;) ++*out;
    return leave(&c, code);
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(Handle *h, unsigned index, Handle **out) {
    Call c;
    int code = enter(&c, h, out, "mig");
    if (code == SUCCESS && slice_number(h, index) < 0) code = NOT_FOUND;
    if (code == SUCCESS) *out = handle_of(slice_number(h, index), 1);
    return leave(&c, code);
}

EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Handle *h, Handle **out) {
    if (!started()) return UNINITIALIZED;
    if (!h || !out || !h->now->parent) return INVALID_ARGUMENT;
    *out = handle_by_uuid(h->now->parent->uuid);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetGpuInstanceId(Handle *h, unsigned *out) {
    if (!h || !out || !h->now->parent) return INVALID_ARGUMENT;
    *out = (unsigned)h->now->gpu_instance;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetComputeInstanceId(Handle *h, unsigned *out) {
    if (!h || !out || !h->now->parent) return INVALID_ARGUMENT;
    *out = (unsigned)h->now->compute_instance;
    return SUCCESS;
}

/* ---- processes ---- */

enum { NO_INSTANCE = -1, MANY = 256 };

typedef struct { unsigned pid; unsigned long long memory; unsigned gi, ci; } ProcessInfo;
typedef struct { unsigned pid; unsigned long long memory; } ProcessInfo1;

static int add_pids(const Process *p, ProcessInfo *out, int room) {
    unsigned pid;
    int count = 0;
    if (strncmp(p->pid, "file=", 5)) {
        pid = strcmp(p->pid, "self") ? 0 : (unsigned)getpid();
        if (!pid) sscanf(p->pid, "%u", &pid);
        if (room > 0) out[count++] = (ProcessInfo){pid, (uint64_t)p->memory, NO_INSTANCE, NO_INSTANCE};
        return count;
    }
    FILE *file = fopen(p->pid + 5, "r"); /* nobody yet, if it does not exist */
    while (file && count < room && fscanf(file, "%u", &pid) == 1)
        out[count++] = (ProcessInfo){pid, (uint64_t)p->memory, NO_INSTANCE, NO_INSTANCE};
    if (file) fclose(file);
    return count;
}

static int running(const Gpu *g, int graphics, ProcessInfo *out) {
    int count = 0;
    int64_t t = now_ns();
    for (int i = 0; i < g->processes; i++) {
        const Process *p = &g->process[i];
        if (p->graphics == graphics && t >= p->start && t < p->end)
            count += add_pids(p, out + count, MANY - count);
    }
    return count;
}

static int list(Handle *h, unsigned *count, ProcessInfo *out, ProcessInfo1 *old, int graphics) {
    Call c;
    ProcessInfo found[MANY];
    int code = enter(&c, h, count, "processes");
    if (code != SUCCESS) return leave(&c, code);
    unsigned room = out || old ? *count : 0, many = (unsigned)running(c.gpu, graphics, found);
    *count = many;
    if (many > room) return leave(&c, INSUFFICIENT_SIZE);
    for (unsigned i = 0; i < many; i++)
        if (old) old[i] = (ProcessInfo1){found[i].pid, found[i].memory};
        else out[i] = found[i];
    return leave(&c, SUCCESS);
}

/* Version 3 came with driver 510, version 2 with 450. */
static int list_since(const char *what, Handle *h, unsigned *count, ProcessInfo *out, int graphics) {
    if (h && !supported(h->now, what)) return FUNCTION_NOT_FOUND;
    return list(h, count, out, NULL, graphics);
}

#define PROCESSES(symbol, graphics)                                                              \
    EXPORT int symbol(Handle *h, unsigned *n, ProcessInfo1 *out) { return list(h, n, NULL, out, graphics); } \
    EXPORT int symbol##_v2(Handle *h, unsigned *n, ProcessInfo *out) {                           \
        return list_since("processes_v2", h, n, out, graphics);                                  \
    }                                                                                            \
    EXPORT int symbol##_v3(Handle *h, unsigned *n, ProcessInfo *out) {                           \
        return list_since("processes_v3", h, n, out, graphics);                                  \
    }

PROCESSES(nvmlDeviceGetComputeRunningProcesses, 0)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, 1)
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses, 2)
