/* The machine: its GPUs, the script that may change while it runs, and what each call does
 * before and after it answers. */
#include "double.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { HANDLES = 256, LOOK_NS = 5000000 };

static Machine *_Atomic machine;
static Handle handles[HANDLES]; /* GPUs first, then slices */
static atomic_int sessions;
static struct stat seen;
static atomic_llong looked_ns;

int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

Machine *machine_now(void) { return machine; }
int started(void) { return sessions > 0; }

/* ---- reading the script, and reading it again ---- */

static const char *script_path(void) { return getenv("LLEM_TEST_NVML_DOUBLE"); }

static int changed(void) {
    struct stat file;
    if (stat(script_path(), &file)) return 0;
    int same = file.st_ino == seen.st_ino && file.st_size == seen.st_size &&
               file.st_mtim.tv_sec == seen.st_mtim.tv_sec && file.st_mtim.tv_nsec == seen.st_mtim.tv_nsec;
    seen = file;
    return !same;
}

static Gpu *gpu_of(const Machine *m, int i) { return i < m->gpus ? m->gpu[i] : m->slice[i - m->gpus]; }

static int alike(const Machine *a, const Machine *b) {
    if (a->gpus != b->gpus || a->slices != b->slices) return 0;
    for (int i = 0; i < a->gpus + a->slices; i++)
        if (strcmp(gpu_of(a, i)->uuid, gpu_of(b, i)->uuid)) return 0;
    return 1;
}

static void put_in_place(Machine *m) {
    for (int i = 0; i < m->gpus + m->slices && i < HANDLES; i++) handles[i].now = gpu_of(m, i);
    machine = m;
}

/* What the script said before stays in memory: another thread may be in a call. */
static void read_again(void) {
    static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
    int64_t now = now_ns();
    if (now - looked_ns < LOOK_NS || pthread_mutex_trylock(&reading)) return;
    looked_ns = now;
    Machine *m = changed() ? read_script(script_path()) : NULL, *old = machine;
    if (m && !alike(m, old)) {
        fprintf(stderr, "nvml_double: %s: GPUs cannot come or go while NVML runs\n", script_path());
        forget(m);
        m = NULL;
    }
    for (int i = 0; m && i < m->gpus; i++) m->gpu[i]->energy_calls = old->gpu[i]->energy_calls;
    if (m) put_in_place(m);
    pthread_mutex_unlock(&reading);
}

int machine_start(void) {
    if (sessions) {
        sessions++;
        return SUCCESS;
    }
    if (!script_path() || stat(script_path(), &seen)) return DRIVER_NOT_LOADED;
    Machine *m = read_script(script_path()), *old = machine;
    if (!m) return INVALID_ARGUMENT;
    put_in_place(m);
    if (old) forget(old);
    if (m->init == SUCCESS) sessions++;
    return (int)m->init;
}

int machine_end(void) {
    if (!sessions) return UNINITIALIZED;
    sessions--;
    return SUCCESS;
}

/* ---- handles ---- */

Handle *handle_of(int number, int slice) {
    const Machine *m = machine;
    int place = slice ? m->gpus + number : number;
    if (number < 0 || number >= (slice ? m->slices : m->gpus) || place >= HANDLES) return NULL;
    return &handles[place];
}

Handle *handle_by_uuid(const char *uuid) {
    const Machine *m = machine;
    for (int i = 0; i < m->gpus + m->slices && i < HANDLES; i++)
        if (!strcmp(gpu_of(m, i)->uuid, uuid)) return &handles[i];
    return NULL;
}

int number_of(const Handle *h) { return (int)(h - handles); }

/* ---- calls ---- */

static void wait_half(int64_t wait) {
    if (wait <= 0) return;
    int64_t until = now_ns() + wait / 2;
    struct timespec t = {until / 1000000000, until % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

int supported(const Gpu *g, const char *what) {
    if (g->parent && !names(" uuid name memory index mig processes ", what)) return 0;
    return !names(g->unsupported, what);
}

static int lost(Gpu *g, const char *what, int64_t t) {
    if (g->parent) g = g->parent;
    return (g->lost_after_reads > 0 && g->energy_calls >= g->lost_after_reads) ||
           strikes(g, LOST, what, t);
}

int enter(Call *c, Handle *h, const void *out, const char *what) {
    *c = (Call){0};
    if (!sessions) return UNINITIALIZED;
    if (!h || !out) return INVALID_ARGUMENT;
    read_again();
    Gpu *g = c->gpu = h->now;
    const Fault *slow = strikes(g, SLOW, what, now_ns()), *error;
    c->wait_ns = g->delay_us * 1000 + (slow ? slow->by : 0);
    wait_half(c->wait_ns);
    if (lost(g, what, now_ns())) return GPU_IS_LOST;
    if (!supported(g, what)) return NOT_SUPPORTED;
    error = strikes(g, ERROR, what, now_ns());
    return error ? (int)error->by : SUCCESS;
}

int leave(const Call *c, int code) {
    if (code == SUCCESS) wait_half(c->wait_ns);
    return code;
}
