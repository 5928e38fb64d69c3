/* NVML's entry points for a GPU's values, as pynvml calls them. */
#include "double.h"
#include <math.h>
#include <string.h>
#include <time.h>

/* Field ids, clocks: nvml.h */
enum {
    FIELD_POLICY_FIRST = 74, FIELD_POLICY_LAST = 81, FIELD_ENERGY = 83, FIELD_POWER_AVERAGE = 185,
    FIELD_POWER_INSTANT = 186, FIELD_DEFAULT_LIMIT = 189, FIELD_LIMIT = 190,
    FIELD_SW_THERMAL = 269, FIELD_HW_BRAKE = 271,
};
enum { TYPE_UINT = 1, TYPE_ULONGLONG = 3 };
enum { CLOCK_GRAPHICS = 0, CLOCK_SM = 1, CLOCK_MEMORY = 2 };
enum { MEMORY_CLOCK_MHZ = 2619, SM_APPLICATION_DEFAULT_MHZ = 1980 }; /* of an H100 SXM */

static int copy_text(char *out, unsigned size, const char *text) {
    if (!out) return INVALID_ARGUMENT;
    if (strlen(text) >= size) return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}

static uint64_t energy_now(Gpu *g) {
    g->energy_calls++;
    return counter_shown(g, now_ns());
}

static unsigned power_now(Gpu *g) { return power_shown(g, &g->power, "power", now_ns()); }

static uint64_t value_now(const Course *c) { return (uint64_t)llround(course_at(c, now_ns())); }

/* A call that answers with one number. */
struct rates { unsigned gpu, memory; }; /* nvmlUtilization_t, in percent */

#define ANSWER(symbol, type, what, value)                     \
    EXPORT int symbol(Handle *h, type *out) {                 \
        Call c;                                               \
        int code = enter(&c, h, out, what);                   \
        Gpu *g = c.gpu;                                       \
        if (code == SUCCESS) *out = (type)(value);            \
        return leave(&c, code);                               \
    }

ANSWER(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, "counter", energy_now(g))
ANSWER(nvmlDeviceGetPowerUsage, unsigned, "power", power_now(g))
ANSWER(nvmlDeviceGetEnforcedPowerLimit, unsigned, "limit", value_now(&g->power_limit_mw))
ANSWER(nvmlDeviceGetPowerManagementLimit, unsigned, "limit", value_now(&g->power_limit_mw))
ANSWER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned, "limit", g->default_power_limit_mw)
ANSWER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, "throttle", value_now(&g->throttle))
ANSWER(nvmlDeviceGetPersistenceMode, int, "persistence", g->persistence)
ANSWER(nvmlDeviceGetArchitecture, unsigned, "architecture", ((void)g, 9u)) /* Hopper */
ANSWER(nvmlDeviceGetComputeMode, unsigned, "compute_mode", ((void)g, 0u)) /* default */
ANSWER(nvmlDeviceGetUtilizationRates, struct rates, "utilization", ((void)g, (struct rates){0, 0}))
ANSWER(read_temperature, unsigned, "temperature", value_now(&g->temperature_c))
ANSWER(read_clock, unsigned, "sm_clock", value_now(&g->sm_clock_mhz))
ANSWER(read_max_clock, unsigned, "sm_clock", g->max_sm_clock_mhz)
ANSWER(read_mig, unsigned, "mig", value_now(&g->mig))
ANSWER(read_ecc, int, "ecc", g->ecc)
ANSWER(read_ecc_pending, int, "ecc", g->ecc_pending)
ANSWER(read_memory_clock, unsigned, "memory_clock", ((void)g, (unsigned)MEMORY_CLOCK_MHZ))
ANSWER(read_application_clock, unsigned, "application_clocks", g->application_sm_clock_mhz)
ANSWER(read_min_limit, unsigned, "limit", g->min_power_limit_mw)
ANSWER(read_max_limit, unsigned, "limit", g->max_power_limit_mw)
ANSWER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned, "pcie", g->pcie_generation)
ANSWER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned, "pcie", ((void)g, 5u))
ANSWER(nvmlDeviceGetCurrPcieLinkWidth, unsigned, "pcie", g->pcie_width)
ANSWER(nvmlDeviceGetMaxPcieLinkWidth, unsigned, "pcie", ((void)g, 16u))
ANSWER(count_links, unsigned, "nvlink", g->nvlinks)
ANSWER(nvmlDeviceGetIndex, unsigned, "index", ((void)g, number_of(h)))
ANSWER(nvmlDeviceGetMinorNumber, unsigned, "index", ((void)g, number_of(h)))

EXPORT int nvmlDeviceGetCurrentClocksEventReasons(Handle *h, unsigned long long *out) {
    if (h && !supported(h->now, "event_reasons")) return FUNCTION_NOT_FOUND; /* before driver 535 */
    return nvmlDeviceGetCurrentClocksThrottleReasons(h, out);
}

EXPORT int nvmlDeviceGetTemperature(Handle *h, int sensor, unsigned *out) {
    return sensor ? INVALID_ARGUMENT : read_temperature(h, out);
}

typedef struct { unsigned version; int sensor; int temperature; } Temperature;

EXPORT int nvmlDeviceGetTemperatureV(Handle *h, Temperature *t) {
    if (!t) return INVALID_ARGUMENT;
    if (t->version != 0x0100000C) return VERSION_MISMATCH;
    return nvmlDeviceGetTemperature(h, t->sensor, (unsigned *)&t->temperature);
}

EXPORT int nvmlDeviceGetApplicationsClock(Handle *h, int type, unsigned *out) {
    return type == CLOCK_SM ? read_application_clock(h, out) : NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetDefaultApplicationsClock(Handle *h, int type, unsigned *out) {
    int code = nvmlDeviceGetApplicationsClock(h, type, out);
    if (code == SUCCESS) *out = SM_APPLICATION_DEFAULT_MHZ;
    return code;
}

EXPORT int nvmlDeviceGetPowerManagementLimitConstraints(Handle *h, unsigned *least, unsigned *most) {
    int code = read_min_limit(h, least);
    return code == SUCCESS ? read_max_limit(h, most) : code;
}

/* The first half of the links is up, so that a count of what is up is not one of all. */
EXPORT int nvmlDeviceGetNvLinkState(Handle *h, unsigned link, unsigned *up) {
    unsigned links;
    int code = count_links(h, &links);
    if (code != SUCCESS) return code;
    if (link >= links) return INVALID_ARGUMENT;
    return *up = link < (links + 1) / 2, SUCCESS;
}

EXPORT int nvmlDeviceGetClockInfo(Handle *h, int type, unsigned *out) {
    if (type == CLOCK_MEMORY) return read_memory_clock(h, out);
    return type == CLOCK_SM || type == CLOCK_GRAPHICS ? read_clock(h, out) : NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetMaxClockInfo(Handle *h, int type, unsigned *out) {
    if (type == CLOCK_MEMORY) return read_memory_clock(h, out);
    return type == CLOCK_SM || type == CLOCK_GRAPHICS ? read_max_clock(h, out) : NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetMigMode(Handle *h, unsigned *current, unsigned *pending) {
    int code = read_mig(h, current);
    if (code == SUCCESS && pending) *pending = *current;
    return code;
}

EXPORT int nvmlDeviceGetEccMode(Handle *h, int *current, int *pending) {
    int code = read_ecc(h, current);
    return code == SUCCESS && pending ? read_ecc_pending(h, pending) : code;
}

/* ---- memory, PCI, names ---- */

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;

EXPORT int nvmlDeviceGetMemoryInfo(Handle *h, Memory *m) {
    Call c;
    int code = enter(&c, h, m, "memory");
    if (code == SUCCESS) {
        uint64_t total = (uint64_t)c.gpu->memory_total, used = value_now(&c.gpu->memory_used);
        *m = (Memory){total, total - used, used};
    }
    return leave(&c, code);
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(Handle *h, Memory2 *m) {
    Memory plain;
    if (m && m->version != 0x02000028) return VERSION_MISMATCH;
    int code = nvmlDeviceGetMemoryInfo(h, m ? &plain : NULL);
    if (code == SUCCESS) *m = (Memory2){m->version, plain.total, 0, plain.free, plain.used};
    return code;
}

typedef struct {
    char legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
} Pci;

EXPORT int nvmlDeviceGetPciInfo_v3(Handle *h, Pci *p) {
    Call c;
    int code = enter(&c, h, p, "pci");
    if (code != SUCCESS) return code;
    memset(p, 0, sizeof *p);
    sscanf(c.gpu->pci, "%x:%x:%x", &p->domain, &p->bus, &p->device);
    snprintf(p->legacy, sizeof p->legacy, "%04X:%02X:%02X.0", p->domain & 0xffff, p->bus & 0xff, p->device & 0xff);
    snprintf(p->id, sizeof p->id, "%s", c.gpu->pci);
    p->device_id = 0x233010DE; /* H100 SXM */
    return leave(&c, SUCCESS);
}

EXPORT int nvmlDeviceGetUUID(Handle *h, char *out, unsigned size) {
    Call c;
    int code = enter(&c, h, out, "uuid");
    return leave(&c, code == SUCCESS ? copy_text(out, size, c.gpu->uuid) : code);
}

EXPORT int nvmlDeviceGetName(Handle *h, char *out, unsigned size) {
    Call c;
    int code = enter(&c, h, out, "name");
    return leave(&c, code == SUCCESS ? copy_text(out, size, c.gpu->name) : code);
}

/* ---- how long the GPU was slowed, and why ---- */

/* Bits of the clock event reasons behind each performance policy, by the policies' numbers:
 * power, thermal, sync boost, board limit, low utilization, reliability. */
static const uint64_t BEHIND[] = {0x4 | 0x80, 0x20 | 0x40, 0x10, 0x200, 0x1, 0x400};
enum { POLICIES = sizeof BEHIND / sizeof *BEHIND, POLICY_TOTAL = 10, ALL_BITS = 0x6fd };

static int slowed_ns(Gpu *g, uint64_t bits, unsigned long long *out) {
    if (!bits) return NOT_SUPPORTED;
    *out = (unsigned long long)course_bits_ns(&g->throttle, &g->violation, bits, g->script_ns, now_ns());
    return SUCCESS;
}

static uint64_t bits_behind(unsigned policy) {
    return policy < POLICIES ? BEHIND[policy] : policy == POLICY_TOTAL ? ALL_BITS : 0;
}

typedef struct { unsigned long long reference_us, violation_ns; } Violation;

static long long wall_us(void) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (long long)wall.tv_sec * 1000000 + wall.tv_nsec / 1000;
}

EXPORT int nvmlDeviceGetViolationStatus(Handle *h, unsigned policy, Violation *out) {
    Call c;
    int code = enter(&c, h, out, "violation");
    if (code == SUCCESS) code = slowed_ns(c.gpu, bits_behind(policy), &out->violation_ns);
    if (code == SUCCESS) out->reference_us = (unsigned long long)wall_us();
    return leave(&c, code);
}

/* ---- fields ---- */

typedef struct {
    unsigned field, scope;
    long long time_us, latency_us;
    int type, code;
    union { double d; unsigned ui; unsigned long long ull; } value;
} FieldValue;

static int may(Gpu *g, const char *what) {
    const Fault *error;
    if (!supported(g, what)) return NOT_SUPPORTED;
    error = strikes(g, ERROR, what, now_ns());
    return error ? (int)error->by : SUCCESS;
}

static int answer_policy(Gpu *g, FieldValue *f, uint64_t bits) {
    int code = may(g, "violation");
    f->type = TYPE_ULONGLONG;
    return code == SUCCESS ? slowed_ns(g, bits, &f->value.ull) : code;
}

static int answer_field(Gpu *g, FieldValue *f) {
    unsigned policy = f->field - FIELD_POLICY_FIRST;
    int code;
    f->type = TYPE_UINT;
    f->value.ull = 0;
    switch (f->field) {
    case FIELD_POWER_INSTANT:
        if ((code = may(g, "instant")) == SUCCESS)
            f->value.ui = power_shown(g, &g->instant, "instant", now_ns());
        return code;
    case FIELD_POWER_AVERAGE:
        if ((code = may(g, "instant")) == SUCCESS) f->value.ui = power_now(g);
        return code;
    case FIELD_LIMIT:
        if ((code = may(g, "limit")) == SUCCESS) f->value.ui = (unsigned)value_now(&g->power_limit_mw);
        return code;
    case FIELD_DEFAULT_LIMIT:
        if ((code = may(g, "limit")) == SUCCESS) f->value.ui = (unsigned)g->default_power_limit_mw;
        return code;
    case FIELD_ENERGY:
        f->type = TYPE_ULONGLONG;
        if ((code = may(g, "counter")) == SUCCESS) f->value.ull = energy_now(g);
        return code;
    }
    if (f->field >= FIELD_POLICY_FIRST && f->field <= FIELD_POLICY_LAST)
        return answer_policy(g, f, bits_behind(policy < POLICIES ? policy : policy == POLICIES ? POLICY_TOTAL : ~0u));
    if (f->field >= FIELD_SW_THERMAL && f->field <= FIELD_HW_BRAKE)
        return answer_policy(g, f, UINT64_C(0x20) << (f->field - FIELD_SW_THERMAL));
    return NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetFieldValues(Handle *h, int count, FieldValue *fields) {
    Call c;
    int code = enter(&c, h, fields, "field_values");
    if (code == SUCCESS && count < 1) code = INVALID_ARGUMENT;
    for (int i = 0; code == SUCCESS && i < count; i++) {
        fields[i].time_us = wall_us();
        fields[i].latency_us = c.wait_ns / 2000;
        fields[i].code = answer_field(c.gpu, &fields[i]);
    }
    return leave(&c, code);
}

/* ---- for tests of the double: its instruments at an instant of one's choice ---- */

EXPORT uint64_t llem_double_counter_mj(unsigned index, int64_t t_ns) {
    return counter_shown(machine_now()->gpu[index], t_ns);
}

EXPORT unsigned llem_double_power_mw(unsigned index, int64_t t_ns) {
    Gpu *g = machine_now()->gpu[index];
    return power_shown(g, &g->power, "power", t_ns);
}

EXPORT unsigned llem_double_instant_mw(unsigned index, int64_t t_ns) {
    Gpu *g = machine_now()->gpu[index];
    return power_shown(g, &g->instant, "instant", t_ns);
}

EXPORT double llem_double_energy_mj(unsigned index, int64_t start_ns, int64_t end_ns) {
    return (double)energy_mj(machine_now()->gpu[index], start_ns, end_ns);
}

EXPORT double llem_double_temperature_c(unsigned index, int64_t t_ns) {
    return course_at(&machine_now()->gpu[index]->temperature_c, t_ns);
}

EXPORT int64_t llem_double_slowed_ns(unsigned index, uint64_t bits, int64_t start_ns, int64_t end_ns) {
    Gpu *g = machine_now()->gpu[index];
    return course_bits_ns(&g->throttle, &g->violation, bits, start_ns, end_ns);
}
