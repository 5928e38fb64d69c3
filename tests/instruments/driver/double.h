/* A driver library whose power is known exactly.
 *
 * Compiled as libnvidia-ml.so.1 and found through LD_LIBRARY_PATH, it answers the calls
 * that pynvml makes, as NVIDIA's library does: same symbols, structures and return codes.
 * What it answers is written in a text file named by LLEM_TEST_NVML_DOUBLE (script.c describes
 * it, nvml_double.py writes it). Without that file there is "no driver".
 *
 *   curve.c    power over time: its integral, its value, its lag
 *   sensor.c   what counter and power fields make of it
 *   course.c   values that change over time
 *   fault.c    what goes wrong, and when
 *   script.c   the file
 *   machine.c  GPUs, and the beginning and end of a call
 *   nvml.c     what NVML tells of a GPU; system.c finds GPUs, MIG slices and processes
 *
 * All times are CLOCK_MONOTONIC nanoseconds. Whatever is shown is a function of the script
 * and of the time, except where a fault counts calls (every=, lost_after_reads).
 */
#ifndef DOUBLE_H
#define DOUBLE_H

#define _GNU_SOURCE
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))
#define FOREVER INT64_MAX
#define EVER INT64_MIN

/* Return codes: nvml.h */
enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, FUNCTION_NOT_FOUND = 13, GPU_IS_LOST = 15,
    VERSION_MISMATCH = 25,
};

enum { TEXT = 96, CALLS = 256 };

/* ---- curves ---- */

typedef enum { CONSTANT, RAMP, SINE, PIECES } Kind;

typedef struct {
    int64_t begin, length, tau;  /* tau 0 is a straight line, else an approach to end_w */
    double start_w, end_w;
    long double before;          /* W ns of the pieces before */
} Piece;

typedef struct {
    Kind kind;
    double a, b;            /* watts: start and end, middle and amplitude */
    int64_t period, shift;  /* ns; a curve is evaluated at t + shift */
    Piece *piece;
    int count;
} Curve;

long double antiderivative(const Curve *, int64_t t); /* of power over time up to t, in W ns */
double level(const Curve *, int64_t t);               /* power at t, in W */
double lagged(const Curve *, int64_t t, int64_t tau); /* behind a first-order lag, in W */
int add_piece(Curve *, int64_t length, double start_w, double end_w, int64_t tau);

/* ---- values over time ---- */

typedef struct { int64_t at, over; double value; } Step;
typedef struct { Step *step; int count; } Course;

double course_at(const Course *, int64_t t);
int course_add(Course *, Step); /* 0 if it is out of order */
/* Time from start to end during which a bit of mask is set in one of the two. */
int64_t course_bits_ns(const Course *, const Course *, uint64_t mask, int64_t start, int64_t end);

/* ---- sensors ---- */

typedef struct { int64_t period, phase, jitter; uint64_t seed; } Refresh;

typedef struct {
    Refresh refresh;
    int64_t window;      /* ns looked at before a refresh; 0: all (counter), the instant (power) */
    int64_t lag;         /* ns, of a power field that follows slowly; 0: it does not */
    int64_t resolution;  /* mJ or mW */
    double gain;
    int64_t start, modulus; /* mJ: where the counter starts, and where it wraps; 0: nowhere */
} Sensor;

/* ---- faults ---- */

typedef enum { LOST, ERROR, ZERO, SPIKE, SLOW, STALL } FaultKind;

typedef struct {
    FaultKind kind;
    int64_t start, end, every, by; /* by: code, mJ or mW, ns */
    char calls[CALLS];             /* " counter power ", empty: all */
    atomic_long met;
} Fault;

typedef struct { int64_t at, to; } Reset; /* the counter starts again at `to` mJ */

/* ---- GPUs ---- */

typedef struct { char pid[CALLS]; int64_t memory, start, end; int graphics; } Process;

typedef struct Gpu Gpu;
struct Gpu {
    char uuid[TEXT], name[TEXT], pci[32], unsupported[CALLS];
    Gpu *parent; /* of a MIG slice */
    int64_t gpu_instance, compute_instance;
    Curve **curve;
    Fault **fault;
    Process *process;
    Reset *reset;
    int curves, faults, processes, resets;
    int64_t origin_ns; /* where the energy counter starts to count */
    int64_t sampled_from_ns; /* from when on a counter with a window looks at that only */
    int64_t script_ns; /* the origin of the script's times: violation counters begin here */
    Sensor counter, power, instant;
    int64_t delay_us, lost_after_reads;
    Course temperature_c, sm_clock_mhz, power_limit_mw, throttle, violation, memory_used, mig;
    int64_t max_sm_clock_mhz, default_power_limit_mw, memory_total, persistence, ecc;
    int64_t min_power_limit_mw, max_power_limit_mw, ecc_pending, application_sm_clock_mhz;
    int64_t pcie_generation, pcie_width, nvlinks;
    atomic_long energy_calls;
    atomic_llong counted_to; /* of a counter that samples: see sensor.c */
    long double counted_mj;
};

uint64_t counter_mj(Gpu *, int64_t t); /* by the script, before faults that change a reading */
unsigned power_mw(Gpu *, const Sensor *, int64_t t);
long double energy_mj(const Gpu *, int64_t start, int64_t end);
int64_t last_refresh(const Refresh *, int64_t t);

/* The fault of this kind that strikes this call now, or NULL. */
const Fault *strikes(Gpu *, FaultKind, const char *call, int64_t t);
uint64_t counter_shown(Gpu *, int64_t t); /* with its faults */
unsigned power_shown(Gpu *, const Sensor *, const char *call, int64_t t);

/* ---- the machine ---- */

/* What a program holds; a script that is read again changes what `now` points to. */
typedef struct { Gpu *_Atomic now; } Handle;

typedef struct {
    char driver[80], nvml[80];
    int64_t cuda, init, origin_ns;
    Gpu **gpu, **slice;
    int gpus, slices;
} Machine;

/* A machine by a script; NULL, after saying why on stderr, if the script cannot be read. */
Machine *read_script(const char *path);
void forget(Machine *);

Machine *machine_now(void);
int machine_start(void); /* NVML's return code */
int machine_end(void);
int started(void);
Handle *handle_of(int number, int slice);
Handle *handle_by_uuid(const char *uuid);
int number_of(const Handle *); /* NVML's index */

typedef struct { Gpu *gpu; int64_t wait_ns; } Call;

int64_t now_ns(void);
/* The first half of a call: may this GPU answer? */
int enter(Call *, Handle *, const void *out, const char *what);
/* The second half. */
int leave(const Call *, int code);
int supported(const Gpu *, const char *what);
int names(const char *words, const char *word);

#endif
