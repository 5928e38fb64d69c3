/* What goes wrong, and when: faults of calls and of what they show. */
#include "double.h"
#include <string.h>

int names(const char *words, const char *word) {
    char spaced[64];
    snprintf(spaced, sizeof spaced, " %s ", word);
    return strstr(words, spaced) != NULL;
}

const Fault *strikes(Gpu *g, FaultKind kind, const char *call, int64_t t) {
    const Fault *found = NULL;
    for (int i = 0; i < g->faults; i++) {
        Fault *f = g->fault[i];
        if (f->kind != kind || t < f->start || t >= f->end) continue;
        if (f->calls[0] && !names(f->calls, call)) continue;
        if ((atomic_fetch_add(&f->met, 1) + 1) % f->every == 0) found = f;
    }
    return found;
}

/* The instant whose value is shown: a sensor that stalls shows what it showed as that began. */
static int64_t seen_at(Gpu *g, const char *call, int64_t t) {
    const Fault *stall = strikes(g, STALL, call, t);
    return stall ? stall->start : t;
}

static int64_t spiked(Gpu *g, const char *call, int64_t t, int64_t value) {
    const Fault *spike = strikes(g, SPIKE, call, t), *zero = strikes(g, ZERO, call, t);
    if (zero) return 0;
    if (spike) value += spike->by;
    return value < 0 ? 0 : value;
}

uint64_t counter_shown(Gpu *g, int64_t t) {
    return (uint64_t)spiked(g, "counter", t, (int64_t)counter_mj(g, seen_at(g, "counter", t)));
}

unsigned power_shown(Gpu *g, const Sensor *sensor, const char *call, int64_t t) {
    return (unsigned)spiked(g, call, t, power_mw(g, sensor, seen_at(g, call, t)));
}
