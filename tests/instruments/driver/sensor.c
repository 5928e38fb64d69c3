/* What the energy counter and the power fields make of a GPU's power. */
#include "double.h"
#include <math.h>
#include <pthread.h>

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) */
static uint64_t mix(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static int64_t floor_div(int64_t n, int64_t d) { return n / d - (n % d < 0); }

static int64_t refresh_instant(const Refresh *r, int64_t k) {
    int64_t late = r->jitter > 0 ? (int64_t)(mix(mix(r->seed) + (uint64_t)k) % (uint64_t)r->jitter) : 0;
    return k * r->period + r->phase + late;
}

static int64_t last_number(const Refresh *r, int64_t t) {
    int64_t k = floor_div(t - r->phase, r->period);
    return refresh_instant(r, k) <= t ? k : k - 1;
}

/* The latest refresh at or before t; t itself for an instrument without a period. */
int64_t last_refresh(const Refresh *r, int64_t t) {
    return r->period <= 0 ? t : refresh_instant(r, last_number(r, t));
}

long double energy_mj(const Gpu *g, int64_t start, int64_t end) {
    long double sum = 0;
    for (int i = 0; i < g->curves; i++)
        sum += antiderivative(g->curve[i], end) - antiderivative(g->curve[i], start);
    return sum * 1e-6L;
}

/* From the refresh with one number to that with another: the power of the time looked at,
 * taken for that of the whole refresh. */
static long double sampled_mj(const Gpu *g, int64_t first, int64_t last) {
    const Sensor *c = &g->counter;
    long double sum = 0;
    int64_t before = refresh_instant(&c->refresh, first);
    for (int64_t k = first + 1; k <= last; k++) {
        int64_t at = refresh_instant(&c->refresh, k);
        sum += energy_mj(g, at - c->window, at) / c->window * (at - before);
        before = at;
    }
    return sum;
}

static long double counted_sampling(Gpu *g, int64_t t) {
    static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;
    const Refresh *r = &g->counter.refresh;
    int64_t anchor = last_number(r, g->sampled_from_ns), k = last_number(r, t);
    long double whole = energy_mj(g, g->origin_ns, refresh_instant(r, k < anchor ? k : anchor));
    if (k <= anchor) return whole;
    pthread_mutex_lock(&adding); /* time goes on mostly: the sum is continued */
    int64_t from = g->counted_to > anchor && g->counted_to <= k ? g->counted_to : anchor;
    long double sum = (from > anchor ? g->counted_mj : 0) + sampled_mj(g, from, k);
    g->counted_to = k;
    g->counted_mj = sum;
    pthread_mutex_unlock(&adding);
    return whole + sum;
}

/* Energy counted since origin_ns up to the last refresh before t. A counter that looks at a
 * part of the time does so from sampled_from_ns on; before, it sees all. */
static long double counted_mj(Gpu *g, int64_t t) {
    const Sensor *c = &g->counter;
    if (c->window > 0 && c->refresh.period > 0) return c->gain * counted_sampling(g, t);
    return c->gain * energy_mj(g, g->origin_ns, last_refresh(&c->refresh, t));
}

/* The latest reset that a reading of refresh `shown` knows of, or NULL. */
static const Reset *reset_before(const Gpu *g, int64_t shown) {
    const Reset *latest = NULL;
    for (int i = 0; i < g->resets; i++)
        if (g->reset[i].at <= shown && (!latest || g->reset[i].at >= latest->at)) latest = &g->reset[i];
    return latest;
}

uint64_t counter_mj(Gpu *g, int64_t t) {
    const Sensor *c = &g->counter;
    const Reset *reset = reset_before(g, last_refresh(&c->refresh, t));
    long double mj = counted_mj(g, t);
    if (reset) mj -= counted_mj(g, reset->at);
    /* a millionth of a step, so that a value that is a step in theory is one here too */
    int64_t steps = (int64_t)floorl(mj / c->resolution + 1e-6L);
    int64_t value = (reset ? reset->to : c->start) + steps * c->resolution;
    if (c->modulus > 0) value -= floor_div(value, c->modulus) * c->modulus;
    return value < 0 ? 0 : (uint64_t)value; /* before its origin, a counter has nothing to show */
}

unsigned power_mw(Gpu *g, const Sensor *sensor, int64_t t) {
    int64_t end = last_refresh(&sensor->refresh, t);
    double watts = 0;
    if (sensor->lag > 0)
        for (int i = 0; i < g->curves; i++) watts += lagged(g->curve[i], end, sensor->lag);
    else if (sensor->window > 0)
        watts = (double)(energy_mj(g, end - sensor->window, end) / sensor->window * 1e6L);
    else
        for (int i = 0; i < g->curves; i++) watts += level(g->curve[i], end);
    double steps = round(watts * sensor->gain * 1000 / sensor->resolution);
    return (unsigned)(fmax(steps, 0) * sensor->resolution);
}
