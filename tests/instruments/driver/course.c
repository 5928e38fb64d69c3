/* Values that change over time: in steps, or evenly over a while. */
#include "double.h"
#include <stdlib.h>

static double by_first(const Course *c, int count, int64_t t) {
    int i = count - 1;
    while (i > 0 && c->step[i].at > t) i--;
    const Step *s = &c->step[i];
    if (i == 0 || s->over <= 0 || t >= s->at + s->over) return s->value;
    double from = by_first(c, i, s->at);
    return from + (s->value - from) * ((double)(t - s->at) / s->over);
}

double course_at(const Course *c, int64_t t) { return c->count ? by_first(c, c->count, t) : 0; }

int course_add(Course *c, Step step) {
    if (step.at == EVER) c->count = 0; /* said again: from now on it has always been so */
    if (c->count && step.at < c->step[c->count - 1].at) return 0;
    c->step = realloc(c->step, (size_t)(c->count + 1) * sizeof *c->step);
    c->step[c->count++] = step;
    return 1;
}

/* The first step of a course after t, or `end` if that is sooner. */
static int64_t next_step(const Course *c, int64_t t, int64_t end) {
    for (int i = 0; i < c->count; i++)
        if (c->step[i].at > t) return c->step[i].at < end ? c->step[i].at : end;
    return end;
}

int64_t course_bits_ns(const Course *a, const Course *b, uint64_t mask, int64_t start, int64_t end) {
    int64_t on = 0;
    for (int64_t next; start < end; start = next) {
        next = next_step(b, start, next_step(a, start, end));
        uint64_t bits = (uint64_t)course_at(a, start) | (uint64_t)course_at(b, start);
        if (bits & mask) on += next - start;
    }
    return on;
}
