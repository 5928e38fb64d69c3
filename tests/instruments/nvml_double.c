/* A driver library whose power is known exactly.
 *
 * Compiled as libnvidia-ml.so.1 and found through LD_LIBRARY_PATH, it answers the calls
 * that pynvml makes, as NVIDIA's library does: same symbols, structures and return codes.
 * What it answers is written in a text file named by LLEM_NVML_DOUBLE, read at nvmlInit
 * (nvml_double.py writes it and lists the keys). Without that file there is "no driver".
 *
 * All times are CLOCK_MONOTONIC nanoseconds. The energy counter shows the integral of the
 * curve from origin_ns to its last refresh, quantised; a power field shows the mean over its
 * window before its last refresh (the instant itself if the window is empty).
 *
 * To teach it more: a new curve is a case of `antiderivative` and `level`, a new way to
 * refresh is `last_refresh`, a new property is a field of `Gpu` and a line of `KEYS`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

/* Return codes, field ids, clocks: nvml.h */
enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, FUNCTION_NOT_FOUND = 13, GPU_IS_LOST = 15,
    VERSION_MISMATCH = 25,
};
enum { FIELD_ENERGY = 83, FIELD_POWER_AVERAGE = 185, FIELD_POWER_INSTANT = 186, FIELD_LIMIT = 190 };
enum { TYPE_UINT = 1, TYPE_ULONGLONG = 3 };
enum { CLOCK_GRAPHICS = 0, CLOCK_SM = 1 };

/* ---- what a GPU is ---------------------------------------------------------------- */

enum { MAX_GPUS = 64, MAX_CURVES = 16, MAX_PIECES = 256, TEXT = 96 };

typedef enum { CONSTANT, SQUARE, RAMP, SINE, PIECES } Kind;

typedef struct {
    Kind kind;
    double a, b;                 /* watts: low and high, start and end, middle and amplitude */
    int64_t period, high, shift; /* ns; a curve is evaluated at t + shift */
    int count;
    struct { int64_t begin, length; double start_w, end_w; long double before; } piece[MAX_PIECES];
} Curve;

typedef struct { int64_t period, phase, jitter; uint64_t seed; } Refresh;

typedef struct {
    char uuid[TEXT], name[TEXT], pci[32], unsupported[256];
    Curve *curve[MAX_CURVES];
    int curves;
    int64_t origin_ns, lost_at_ns, counter_resolution_mj, counter_start_mj;
    Refresh counter, power, instant;
    int64_t power_window_ns, instant_window_ns;
    int64_t delay_us, zero_every, lost_after_reads;
    int64_t temperature_c, sm_clock_mhz, max_sm_clock_mhz, power_limit_mw, throttle;
    int64_t memory_total, memory_used, mig, persistence, ecc;
    atomic_long energy_calls, power_calls;
} Gpu;

typedef struct {
    char driver[80], nvml[80];
    int64_t cuda, init;
    Gpu *gpu[MAX_GPUS];
    int gpus;
} Machine;

static Machine machine;
static atomic_int sessions;

/* ---- curves ----------------------------------------------------------------------- */

static int64_t floor_div(int64_t n, int64_t d) { return n / d - (n % d < 0); }

static long double piece_integral(const Curve *c, int i, int64_t into) {
    long double w0 = c->piece[i].start_w, w1 = c->piece[i].end_w, u = into;
    return w0 * u + (w1 - w0) * u * u / (2.0L * c->piece[i].length);
}

static int piece_at(const Curve *c, int64_t rest) {
    int i = c->count - 1;
    while (i > 0 && rest < c->piece[i].begin) i--;
    return i;
}

/* An integral of power over time up to t, in W ns. */
static long double antiderivative(const Curve *c, int64_t t) {
    int64_t u = t + c->shift, turns, rest;
    if (c->kind == CONSTANT) return (long double)c->a * u;
    if (c->kind == RAMP) {
        long double x = u, d = c->period, slope = ((long double)c->b - c->a) / d;
        if (u <= 0) return c->a * x;
        if (u < c->period) return c->a * x + slope * x * x / 2;
        return c->a * d + slope * d * d / 2 + c->b * (x - d);
    }
    turns = floor_div(u, c->period);
    rest = u - turns * c->period;
    if (c->kind == SQUARE) {
        long double low = (long double)c->a * u, step = (long double)c->b - c->a;
        return low + step * (turns * c->high + (rest < c->high ? rest : c->high));
    }
    if (c->kind == SINE) {
        long double k = 2 * acosl(-1.0L) / c->period;
        return (long double)c->a * u - c->b / k * cosl(k * rest);
    }
    int i = piece_at(c, rest), last = c->count - 1;
    long double whole = c->piece[last].before + piece_integral(c, last, c->piece[last].length);
    return turns * whole + c->piece[i].before + piece_integral(c, i, rest - c->piece[i].begin);
}

/* Power at t, in W. */
static double level(const Curve *c, int64_t t) {
    int64_t u = t + c->shift, rest;
    if (c->kind == CONSTANT) return c->a;
    if (c->kind == RAMP) {
        if (u <= 0) return c->a;
        return u >= c->period ? c->b : c->a + (c->b - c->a) * ((double)u / c->period);
    }
    rest = u - floor_div(u, c->period) * c->period;
    if (c->kind == SQUARE) return rest < c->high ? c->b : c->a;
    if (c->kind == SINE) return c->a + c->b * (double)sinl(2 * acosl(-1.0L) * rest / c->period);
    int i = piece_at(c, rest);
    double share = (double)(rest - c->piece[i].begin) / c->piece[i].length;
    return c->piece[i].start_w + (c->piece[i].end_w - c->piece[i].start_w) * share;
}

static long double energy_mj(const Gpu *g, int64_t start, int64_t end) {
    long double sum = 0;
    for (int i = 0; i < g->curves; i++)
        sum += antiderivative(g->curve[i], end) - antiderivative(g->curve[i], start);
    return sum * 1e-6L;
}

/* ---- instruments ------------------------------------------------------------------ */

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) */
static uint64_t mix(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static int64_t refresh_instant(const Refresh *r, int64_t k) {
    int64_t late = r->jitter > 0 ? (int64_t)(mix(mix(r->seed) + (uint64_t)k) % (uint64_t)r->jitter) : 0;
    return k * r->period + r->phase + late;
}

/* The latest refresh at or before t; t itself for an instrument without a period. */
static int64_t last_refresh(const Refresh *r, int64_t t) {
    if (r->period <= 0) return t;
    int64_t k = floor_div(t - r->phase, r->period);
    return refresh_instant(r, k) <= t ? refresh_instant(r, k) : refresh_instant(r, k - 1);
}

static uint64_t counter_mj(const Gpu *g, int64_t t) {
    long double mj = energy_mj(g, g->origin_ns, last_refresh(&g->counter, t));
    /* a millionth of a step, so that a value that is a step in theory is one here too */
    int64_t steps = (int64_t)floorl(mj / g->counter_resolution_mj + 1e-6L);
    return (uint64_t)(g->counter_start_mj + steps * g->counter_resolution_mj);
}

static unsigned power_mw(const Gpu *g, const Refresh *refresh, int64_t window, int64_t t) {
    int64_t end = last_refresh(refresh, t);
    double watts = 0;
    if (window > 0) return (unsigned)llroundl(energy_mj(g, end - window, end) / window * 1e9L);
    for (int i = 0; i < g->curves; i++) watts += level(g->curve[i], end);
    return (unsigned)llround(watts * 1000);
}

/* ---- the script ------------------------------------------------------------------- */

static const struct { const char *key; size_t offset; } KEYS[] = {
#define KEY(name) { #name, offsetof(Gpu, name) }
    KEY(origin_ns), KEY(lost_at_ns), KEY(counter_resolution_mj), KEY(counter_start_mj),
    KEY(power_window_ns), KEY(instant_window_ns), KEY(delay_us), KEY(zero_every),
    KEY(lost_after_reads),
    KEY(temperature_c), KEY(sm_clock_mhz), KEY(max_sm_clock_mhz), KEY(power_limit_mw),
    KEY(throttle), KEY(memory_total), KEY(memory_used), KEY(mig), KEY(persistence), KEY(ecc),
#undef KEY
};

static int read_pieces(Curve *c, const char *text) {
    int used;
    long long shift, length;
    double start_w, end_w;
    if (sscanf(text, "%lld%n", &shift, &used) != 1) return 0;
    c->shift = -shift;
    for (text += used; sscanf(text, "%lld %lf %lf%n", &length, &start_w, &end_w, &used) == 3;
         text += used) {
        if (c->count == MAX_PIECES || length <= 0) return 0;
        int i = c->count++;
        c->piece[i].begin = c->period;
        c->piece[i].length = length;
        c->piece[i].start_w = start_w;
        c->piece[i].end_w = end_w;
        if (i > 0)
            c->piece[i].before =
                c->piece[i - 1].before + piece_integral(c, i - 1, c->piece[i - 1].length);
        c->period += length;
    }
    return c->count > 0;
}

static int read_curve(Gpu *g, const char *text) {
    char kind[16];
    int used = 0;
    long long p = 0, h = 0, s = 0;
    if (g->curves == MAX_CURVES || sscanf(text, "%15s%n", kind, &used) != 1) return 0;
    Curve *c = g->curve[g->curves++] = calloc(1, sizeof *c);
    text += used;
    if (!strcmp(kind, "constant")) return c->kind = CONSTANT, sscanf(text, "%lf", &c->a) == 1;
    if (!strcmp(kind, "pieces")) return c->kind = PIECES, read_pieces(c, text);
    if (!strcmp(kind, "square")) {
        c->kind = SQUARE;
        if (sscanf(text, "%lf %lf %lld %lld %lld", &c->a, &c->b, &p, &h, &s) != 5) return 0;
    } else if (!strcmp(kind, "ramp")) {
        c->kind = RAMP;
        if (sscanf(text, "%lf %lf %lld %lld", &c->a, &c->b, &p, &s) != 4) return 0;
        s = -s;
    } else if (!strcmp(kind, "sine")) {
        c->kind = SINE;
        if (sscanf(text, "%lf %lf %lld %lld", &c->a, &c->b, &p, &s) != 4) return 0;
    } else {
        return 0;
    }
    c->period = p;
    c->high = h;
    c->shift = s;
    return p > 0;
}

static int read_refresh(Refresh *r, const char *text) {
    long long period, phase, jitter;
    unsigned long long seed;
    if (sscanf(text, "%lld %lld %lld %llu", &period, &phase, &jitter, &seed) != 4) return 0;
    *r = (Refresh){period, phase, jitter, seed};
    return 1;
}

static int read_gpu_line(Gpu *g, const char *key, const char *rest) {
    char *end;
    if (!strcmp(key, "name")) return snprintf(g->name, sizeof g->name, "%s", rest) > 0;
    if (!strcmp(key, "pci")) return snprintf(g->pci, sizeof g->pci, "%s", rest) > 0;
    if (!strcmp(key, "unsupported"))
        return snprintf(g->unsupported, sizeof g->unsupported, " %s ", rest) > 0;
    if (!strcmp(key, "curve")) return read_curve(g, rest);
    if (!strcmp(key, "counter_refresh")) return read_refresh(&g->counter, rest);
    if (!strcmp(key, "power_refresh")) return read_refresh(&g->power, rest);
    if (!strcmp(key, "instant_refresh")) return read_refresh(&g->instant, rest);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (!strcmp(key, KEYS[i].key)) {
            *(int64_t *)((char *)g + KEYS[i].offset) = strtoll(rest, &end, 0);
            return end != rest && *end == 0;
        }
    return 0;
}

static Gpu *new_gpu(const char *uuid) {
    if (machine.gpus == MAX_GPUS) return NULL;
    Gpu *g = machine.gpu[machine.gpus++] = calloc(1, sizeof *g);
    snprintf(g->uuid, sizeof g->uuid, "%s", uuid);
    g->lost_at_ns = INT64_MAX;
    g->counter_resolution_mj = 1;
    return g;
}

static int read_line(Gpu **g, const char *key, const char *rest) {
    if (!strcmp(key, "gpu")) return (*g = new_gpu(rest)) != NULL;
    if (*g) return read_gpu_line(*g, key, rest);
    if (!strcmp(key, "driver")) return snprintf(machine.driver, sizeof machine.driver, "%s", rest);
    if (!strcmp(key, "nvml")) return snprintf(machine.nvml, sizeof machine.nvml, "%s", rest);
    if (!strcmp(key, "cuda")) return machine.cuda = atoll(rest), 1;
    if (!strcmp(key, "init")) return machine.init = atoll(rest), 1;
    return 0;
}

static void forget(void) {
    for (int i = 0; i < machine.gpus; i++) {
        for (int j = 0; j < machine.gpu[i]->curves; j++) free(machine.gpu[i]->curve[j]);
        free(machine.gpu[i]);
    }
    machine = (Machine){0};
}

static int read_script(void) {
    const char *path = getenv("LLEM_NVML_DOUBLE");
    FILE *file = path ? fopen(path, "r") : NULL;
    char *line = NULL;
    size_t size = 0;
    int ok = 1;
    Gpu *g = NULL;
    if (!file) return DRIVER_NOT_LOADED;
    forget();
    while (ok && getline(&line, &size, file) > 0) {
        char key[64];
        int used = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, " %63s %n", key, &used) < 1 || key[0] == '#') continue;
        ok = read_line(&g, key, line + used);
        if (!ok) fprintf(stderr, "nvml_double: cannot read %s: %s\n", path, line);
    }
    free(line);
    fclose(file);
    return ok ? (int)machine.init : INVALID_ARGUMENT;
}

/* ---- calls ------------------------------------------------------------------------ */

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void wait_half(const Gpu *g) {
    if (g->delay_us <= 0) return;
    int64_t until = now_ns() + g->delay_us * 500;
    struct timespec t = {until / 1000000000, until % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

static int supported(const Gpu *g, const char *what) {
    char word[64];
    snprintf(word, sizeof word, " %s ", what);
    return !strstr(g->unsupported, word);
}

static int lost(const Gpu *g) {
    int read_enough = g->lost_after_reads > 0 && g->energy_calls >= g->lost_after_reads;
    return read_enough || now_ns() >= g->lost_at_ns;
}

/* The first half of a call: may this GPU answer? */
static int enter(Gpu *g, const void *out, const char *what) {
    if (!sessions) return UNINITIALIZED;
    if (!g || !out) return INVALID_ARGUMENT;
    wait_half(g);
    if (lost(g)) return GPU_IS_LOST;
    return supported(g, what) ? SUCCESS : NOT_SUPPORTED;
}

/* The second half. */
static int leave(const Gpu *g, int code) {
    if (code == SUCCESS) wait_half(g);
    return code;
}

static int zero_now(const Gpu *g, atomic_long *calls) {
    long call = atomic_fetch_add(calls, 1) + 1;
    return g->zero_every > 0 && call % g->zero_every == 0;
}

static uint64_t energy_now(Gpu *g) {
    return zero_now(g, &g->energy_calls) ? 0 : counter_mj(g, now_ns());
}

static unsigned power_now(Gpu *g, const Refresh *refresh, int64_t window) {
    return zero_now(g, &g->power_calls) ? 0 : power_mw(g, refresh, window, now_ns());
}

static int copy_text(char *out, unsigned size, const char *text) {
    if (!out) return INVALID_ARGUMENT;
    if (strlen(text) >= size) return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}

/* A call that answers with one number. */
#define ANSWER(symbol, type, what, value)                   \
    EXPORT int symbol(Gpu *g, type *out) {                  \
        int code = enter(g, out, what);                     \
        if (code == SUCCESS) *out = (type)(value);          \
        return leave(g, code);                              \
    }

ANSWER(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, "counter", energy_now(g))
ANSWER(nvmlDeviceGetPowerUsage, unsigned, "power", power_now(g, &g->power, g->power_window_ns))
ANSWER(nvmlDeviceGetEnforcedPowerLimit, unsigned, "limit", g->power_limit_mw)
ANSWER(nvmlDeviceGetPowerManagementLimit, unsigned, "limit", g->power_limit_mw)
ANSWER(nvmlDeviceGetPowerManagementDefaultLimit, unsigned, "limit", g->power_limit_mw)
ANSWER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, "throttle", g->throttle)
ANSWER(nvmlDeviceGetPersistenceMode, int, "persistence", g->persistence)

EXPORT int nvmlDeviceGetCurrentClocksEventReasons(Gpu *g, unsigned long long *out) {
    if (g && !supported(g, "event_reasons")) return FUNCTION_NOT_FOUND; /* before driver 535 */
    return nvmlDeviceGetCurrentClocksThrottleReasons(g, out);
}

EXPORT int nvmlDeviceGetTemperature(Gpu *g, int sensor, unsigned *out) {
    int code = enter(g, out, "temperature");
    if (code == SUCCESS && sensor != 0) code = INVALID_ARGUMENT;
    if (code == SUCCESS) *out = (unsigned)g->temperature_c;
    return leave(g, code);
}

typedef struct { unsigned version; int sensor; int temperature; } Temperature;

EXPORT int nvmlDeviceGetTemperatureV(Gpu *g, Temperature *t) {
    if (!t) return INVALID_ARGUMENT;
    if (t->version != 0x0100000C) return VERSION_MISMATCH;
    return nvmlDeviceGetTemperature(g, t->sensor, (unsigned *)&t->temperature);
}

EXPORT int nvmlDeviceGetClockInfo(Gpu *g, int type, unsigned *out) {
    int code = enter(g, out, "sm_clock");
    if (code == SUCCESS && type != CLOCK_SM && type != CLOCK_GRAPHICS) code = NOT_SUPPORTED;
    if (code == SUCCESS) *out = (unsigned)g->sm_clock_mhz;
    return leave(g, code);
}

EXPORT int nvmlDeviceGetMaxClockInfo(Gpu *g, int type, unsigned *out) {
    int code = enter(g, out, "sm_clock");
    if (code == SUCCESS && type != CLOCK_SM && type != CLOCK_GRAPHICS) code = NOT_SUPPORTED;
    if (code == SUCCESS) *out = (unsigned)g->max_sm_clock_mhz;
    return leave(g, code);
}

EXPORT int nvmlDeviceGetMigMode(Gpu *g, unsigned *current, unsigned *pending) {
    int code = enter(g, current, "mig");
    if (code == SUCCESS) *current = (unsigned)g->mig;
    if (code == SUCCESS && pending) *pending = (unsigned)g->mig;
    return leave(g, code);
}

EXPORT int nvmlDeviceGetEccMode(Gpu *g, int *current, int *pending) {
    int code = enter(g, current, "ecc");
    if (code == SUCCESS) *current = (int)g->ecc;
    if (code == SUCCESS && pending) *pending = (int)g->ecc;
    return leave(g, code);
}

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;

EXPORT int nvmlDeviceGetMemoryInfo(Gpu *g, Memory *m) {
    int code = enter(g, m, "memory");
    if (code == SUCCESS)
        *m = (Memory){g->memory_total, g->memory_total - g->memory_used, g->memory_used};
    return leave(g, code);
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(Gpu *g, Memory2 *m) {
    int code = enter(g, m, "memory");
    if (code == SUCCESS && m->version != 0x02000028) code = VERSION_MISMATCH;
    if (code == SUCCESS)
        *m = (Memory2){m->version, g->memory_total, 0, g->memory_total - g->memory_used,
                       g->memory_used};
    return leave(g, code);
}

typedef struct {
    char legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
} Pci;

EXPORT int nvmlDeviceGetPciInfo_v3(Gpu *g, Pci *p) {
    int code = enter(g, p, "pci");
    if (code != SUCCESS) return code;
    memset(p, 0, sizeof *p);
    sscanf(g->pci, "%x:%x:%x", &p->domain, &p->bus, &p->device);
    snprintf(p->legacy, sizeof p->legacy, "%04X:%02X:%02X.0", p->domain & 0xffff, p->bus & 0xff, p->device & 0xff);
    snprintf(p->id, sizeof p->id, "%s", g->pci);
    p->device_id = 0x233010DE; /* H100 SXM */
    return leave(g, SUCCESS);
}

EXPORT int nvmlDeviceGetUUID(Gpu *g, char *out, unsigned size) {
    int code = enter(g, out, "uuid");
    return code == SUCCESS ? leave(g, copy_text(out, size, g->uuid)) : code;
}

EXPORT int nvmlDeviceGetName(Gpu *g, char *out, unsigned size) {
    int code = enter(g, out, "name");
    return code == SUCCESS ? leave(g, copy_text(out, size, g->name)) : code;
}

EXPORT int nvmlDeviceGetIndex(Gpu *g, unsigned *out) {
    int code = enter(g, out, "index");
    for (int i = 0; code == SUCCESS && i < machine.gpus; i++)
        if (machine.gpu[i] == g) *out = (unsigned)i;
    return leave(g, code);
}

EXPORT int nvmlDeviceGetMinorNumber(Gpu *g, unsigned *out) { return nvmlDeviceGetIndex(g, out); }

typedef struct {
    unsigned field, scope;
    long long time_us, latency_us;
    int type, code;
    union { double d; unsigned ui; unsigned long long ull; } value;
} FieldValue;

static void answer_field(Gpu *g, FieldValue *f) {
    f->code = SUCCESS;
    f->type = TYPE_UINT;
    f->value.ull = 0;
    if (f->field == FIELD_POWER_INSTANT && supported(g, "instant"))
        f->value.ui = power_now(g, &g->instant, g->instant_window_ns);
    else if (f->field == FIELD_POWER_AVERAGE && supported(g, "instant"))
        f->value.ui = power_now(g, &g->power, g->power_window_ns);
    else if (f->field == FIELD_LIMIT && supported(g, "limit"))
        f->value.ui = (unsigned)g->power_limit_mw;
    else if (f->field == FIELD_ENERGY && supported(g, "counter"))
        f->type = TYPE_ULONGLONG, f->value.ull = energy_now(g);
    else
        f->code = NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetFieldValues(Gpu *g, int count, FieldValue *fields) {
    int code = enter(g, fields, "field_values");
    struct timespec wall;
    if (code == SUCCESS && count < 1) code = INVALID_ARGUMENT;
    clock_gettime(CLOCK_REALTIME, &wall);
    for (int i = 0; code == SUCCESS && i < count; i++) {
        fields[i].time_us = (long long)wall.tv_sec * 1000000 + wall.tv_nsec / 1000;
        fields[i].latency_us = g->delay_us / 2;
        answer_field(g, &fields[i]);
    }
    return leave(g, code);
}

/* ---- finding GPUs, starting, ending ------------------------------------------------ */

EXPORT int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    int code = sessions ? SUCCESS : read_script();
    if (code == SUCCESS) sessions++;
    return code;
}

EXPORT int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
EXPORT int nvmlInit(void) { return nvmlInitWithFlags(0); }

EXPORT int nvmlShutdown(void) {
    if (!sessions) return UNINITIALIZED;
    sessions--;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *count) {
    if (!sessions) return UNINITIALIZED;
    if (!count) return INVALID_ARGUMENT;
    *count = (unsigned)machine.gpus;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetCount(unsigned *count) { return nvmlDeviceGetCount_v2(count); }

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, Gpu **out) {
    if (!sessions) return UNINITIALIZED;
    if (!out || index >= (unsigned)machine.gpus) return INVALID_ARGUMENT;
    *out = machine.gpu[index];
    return lost(*out) ? GPU_IS_LOST : SUCCESS;
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, Gpu **out) {
    if (!sessions) return UNINITIALIZED;
    if (!uuid || !out) return INVALID_ARGUMENT;
    for (int i = 0; i < machine.gpus; i++)
        if (!strcmp(machine.gpu[i]->uuid, uuid)) return nvmlDeviceGetHandleByIndex_v2((unsigned)i, out);
    return NOT_FOUND;
}

EXPORT int nvmlSystemGetDriverVersion(char *out, unsigned size) {
    return sessions ? copy_text(out, size, machine.driver) : UNINITIALIZED;
}

EXPORT int nvmlSystemGetNVMLVersion(char *out, unsigned size) {
    return sessions ? copy_text(out, size, machine.nvml) : UNINITIALIZED;
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *out) {
    if (!sessions) return UNINITIALIZED;
    if (!out) return INVALID_ARGUMENT;
    *out = (int)machine.cuda;
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
    case FUNCTION_NOT_FOUND: return "Function Not Found";
    case GPU_IS_LOST: return "GPU is lost";
    case 18: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}

/* ---- for tests of this file: its instruments at an instant of one's choice ---------- */

EXPORT uint64_t llem_double_counter_mj(unsigned index, int64_t t_ns) {
    return counter_mj(machine.gpu[index], t_ns);
}

EXPORT unsigned llem_double_power_mw(unsigned index, int64_t t_ns) {
    Gpu *g = machine.gpu[index];
    return power_mw(g, &g->power, g->power_window_ns, t_ns);
}

EXPORT unsigned llem_double_instant_mw(unsigned index, int64_t t_ns) {
    Gpu *g = machine.gpu[index];
    return power_mw(g, &g->instant, g->instant_window_ns, t_ns);
}

EXPORT double llem_double_energy_mj(unsigned index, int64_t start_ns, int64_t end_ns) {
    return (double)energy_mj(machine.gpu[index], start_ns, end_ns);
}
