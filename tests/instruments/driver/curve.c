/* Power over time: what it is, what it adds up to, and what a slow sensor sees of it. */
#include "double.h"
#include <math.h>
#include <stdlib.h>

static int64_t floor_div(int64_t n, int64_t d) { return n / d - (n % d < 0); }

static long double piece_integral(const Piece *p, long double u) {
    if (!p->tau) return p->start_w * u + ((long double)p->end_w - p->start_w) * u * u / (2.0L * p->length);
    return p->end_w * u - ((long double)p->start_w - p->end_w) * p->tau * expm1l(-u / p->tau);
}

static double piece_level(const Piece *p, double u) {
    if (p->tau) return p->end_w + (p->start_w - p->end_w) * exp(-u / p->tau);
    return p->start_w + (p->end_w - p->start_w) * (u / p->length);
}

int add_piece(Curve *c, int64_t length, double start_w, double end_w, int64_t tau) {
    if (length <= 0 || tau < 0) return 0;
    c->piece = realloc(c->piece, (size_t)(c->count + 1) * sizeof *c->piece);
    Piece *p = &c->piece[c->count++];
    *p = (Piece){c->period, length, tau, start_w, end_w, 0};
    if (p > c->piece) p->before = p[-1].before + piece_integral(p - 1, p[-1].length);
    c->period += length;
    return 1;
}

static const Piece *piece_at(const Curve *c, int64_t rest) {
    int i = c->count - 1;
    while (i > 0 && rest < c->piece[i].begin) i--;
    return &c->piece[i];
}

static long double ramp_integral(const Curve *c, int64_t u) {
    long double x = u, d = c->period, rise = (long double)c->b - c->a;
    if (u <= 0) return c->a * x;
    if (u < c->period) return c->a * x + rise * x * x / (2 * d);
    return c->a * d + rise * d / 2 + c->b * (x - d);
}

long double antiderivative(const Curve *c, int64_t t) {
    int64_t u = t + c->shift;
    if (c->kind == CONSTANT) return (long double)c->a * u;
    if (c->kind == RAMP) return ramp_integral(c, u);
    int64_t turns = floor_div(u, c->period), rest = u - turns * c->period;
    if (c->kind == SINE) {
        long double k = 2 * acosl(-1.0L) / c->period;
        return (long double)c->a * u - c->b / k * cosl(k * rest);
    }
    const Piece *p = piece_at(c, rest), *last = &c->piece[c->count - 1];
    long double whole = last->before + piece_integral(last, last->length);
    return turns * whole + p->before + piece_integral(p, rest - p->begin);
}

double level(const Curve *c, int64_t t) {
    int64_t u = t + c->shift;
    if (c->kind == CONSTANT) return c->a;
    if (c->kind == RAMP) {
        if (u <= 0) return c->a;
        return u >= c->period ? c->b : c->a + (c->b - c->a) * ((double)u / c->period);
    }
    int64_t rest = u - floor_div(u, c->period) * c->period;
    if (c->kind == SINE) return c->a + c->b * (double)sinl(2 * acosl(-1.0L) * rest / c->period);
    const Piece *p = piece_at(c, rest);
    return piece_level(p, (double)(rest - p->begin));
}

/* A sensor that stands at y as a piece begins, u later: the solution of tau y' = P - y. */
static double follow(const Piece *p, double y, double u, double tau) {
    double fade = exp(-u / tau), gone = -expm1(-u / tau);
    if (!p->tau) {
        double slope = (p->end_w - p->start_w) / p->length;
        return y * fade + p->start_w * gone + slope * (u - tau * gone);
    }
    double gap = p->start_w - p->end_w, own = p->tau, rate = 1 / tau - 1 / own;
    /* gap/tau times the integral over s from 0 to u of exp(-(u-s)/tau - s/own) */
    double forced = u * fade;
    if (rate > 0) forced = exp(-u / own) * -expm1(-u * rate) / rate;
    if (rate < 0) forced = fade * expm1(u * rate) / rate;
    return y * fade + p->end_w * gone + gap / tau * forced;
}

static double pieces_lagged(const Curve *c, int64_t rest, double tau) {
    /* What a turn does to y is y -> y fade + from_zero, which repeats itself at one y. */
    double from_zero = 0, y;
    for (int i = 0; i < c->count; i++)
        from_zero = follow(&c->piece[i], from_zero, (double)c->piece[i].length, tau);
    y = from_zero / -expm1(-(double)c->period / tau);
    const Piece *p = c->piece;
    for (; rest >= p->begin + p->length; p++) y = follow(p, y, (double)p->length, tau);
    return follow(p, y, (double)(rest - p->begin), tau);
}

double lagged(const Curve *c, int64_t t, int64_t tau) {
    int64_t u = t + c->shift;
    if (c->kind == CONSTANT) return c->a;
    if (c->kind == RAMP) {
        Piece rise = {0, c->period, 0, c->a, c->b, 0}, top = {0, 1, 0, c->b, c->b, 0};
        if (u <= 0) return c->a;
        if (u < c->period) return follow(&rise, c->a, (double)u, (double)tau);
        double y = follow(&rise, c->a, (double)c->period, (double)tau);
        return follow(&top, y, (double)(u - c->period), (double)tau);
    }
    int64_t rest = u - floor_div(u, c->period) * c->period;
    if (c->kind == PIECES) return pieces_lagged(c, rest, (double)tau);
    double angle = 2 * acos(-1.0) / c->period, late = angle * tau;
    return c->a + c->b * (sin(angle * rest) - late * cos(angle * rest)) / (1 + late * late);
}
