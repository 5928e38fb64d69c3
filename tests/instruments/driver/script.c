/* The script: one statement a line, # begins a comment, indentation is free.
 *
 *   driver 580.65.06              versions: driver, nvml, cuda (13000 for 13.0)
 *   init 0                        what nvmlInit returns
 *   origin 12345s                 where the times of courses, faults and resets count from
 *
 *   gpu GPU-aaaa                  what follows is about this GPU; named again, it is continued
 *     name NVIDIA L4              also pci, and any key of NUMBERS with its number
 *     curve constant 300          several curves add up; their times are absolute:
 *     curve ramp START_W END_W over=2s from=12345s
 *     curve sine MIDDLE_W AMPLITUDE_W period=1s shift=0s
 *     curve pieces 70ms:80:500 40ms:700 1s:700:100:200ms from=12345s
 *                                 length:start_w[:end_w[:tau]] each, repeated for ever; with
 *                                 a tau power approaches end_w exponentially
 *     counter refresh=100ms phase=0s jitter=0s seed=0 window=25ms resolution_mj=1 gain=1
 *             start_mj=0 modulus_mj=0       (all on one line; power and instant likewise,
 *                                           with lag= and resolution_mw=)
 *     temperature_c 41            a course (COURSES), from the beginning,
 *     set temperature_c 80 at=2s over=5s    and what becomes of it, in order of time
 *     unsupported counter limit   calls that the GPU does not know
 *     process 4711 memory=1073741824 from=2s to=9s type=compute|graphics
 *                                 pid, `self`, or `file=PATH` with pids in it
 *     slice MIG-bbbb gi=1 ci=0 memory_total=… memory_used=…
 *     lost from=2s to=4s          faults; without from= ever, without to= for ever
 *     error 15 counter power from=2s every=3      every third call that would be struck
 *     zero counter power instant from=2s          calls are named as at `unsupported`;
 *     spike counter 500000 from=2s to=2100ms      none named: all. mJ or mW are added
 *     slow 50ms counter every=20
 *     stall counter from=2s to=3s                 shows what it showed at 2 s
 *     reset at=3s to_mj=0                         seen with the next refresh
 *
 * A time is a number with its unit: ns, us, ms, s.
 */
#include "double.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 600 };

typedef struct {
    const char *path;
    int number;
    char *word[WORDS], *option[WORDS]; /* options are the words with a = */
    int words, options, failed;
    const char *rest; /* all after the key, for names */
    Machine *machine;
    Gpu *gpu;
} Line;

static int fail(Line *l, const char *what, const char *text) {
    if (!l->failed) fprintf(stderr, "nvml_double: %s:%d: %s: %s\n", l->path, l->number, what, text);
    l->failed = 1;
    return 0;
}

#define NEW(array, count) \
    ((array) = realloc((array), (size_t)((count) + 1) * sizeof *(array)), &(array)[(count)++])

/* ---- words, numbers, times ---- */

static double to_number(Line *l, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end) fail(l, "not a number", text);
    return value;
}

static int64_t to_integer(Line *l, const char *text) {
    char *end;
    errno = 0;
    int64_t value = strtoll(text, &end, 0);
    if (end == text || *end || errno) fail(l, "not a whole number", text);
    return value;
}

static int64_t to_ns(Line *l, const char *text) {
    static const struct { const char *name; int64_t ns; } UNITS[] = {
        {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    char *unit;
    errno = 0;
    int64_t whole = strtoll(text, &unit, 10);
    int exact = unit != text && !errno && *unit != '.';
    double value = exact ? 0 : strtod(text, &unit);
    for (size_t i = 0; unit != text && i < sizeof UNITS / sizeof *UNITS; i++)
        if (!strcmp(unit, UNITS[i].name))
            return exact ? whole * UNITS[i].ns : (int64_t)(value * (double)UNITS[i].ns);
    return fail(l, "not a time (such as 100ms)", text);
}

static const char *next_word(Line *l, const char *what) {
    if (!l->words) return fail(l, "there is something missing", what), "0";
    const char *word = l->word[0];
    memmove(l->word, l->word + 1, (size_t)--l->words * sizeof *l->word);
    return word;
}

/* The value of an option, which is then used up; NULL if it is not there. */
static const char *option(Line *l, const char *name) {
    size_t length = strlen(name);
    for (int i = 0; i < l->options; i++)
        if (!strncmp(l->option[i], name, length) && l->option[i][length] == '=') {
            const char *value = l->option[i] + length + 1;
            l->option[i] = l->option[--l->options];
            return value;
        }
    return NULL;
}

static int64_t option_ns(Line *l, const char *name, int64_t otherwise) {
    const char *value = option(l, name);
    return value ? to_ns(l, value) : otherwise;
}

static int64_t option_integer(Line *l, const char *name, int64_t otherwise) {
    const char *value = option(l, name);
    return value ? to_integer(l, value) : otherwise;
}

/* An instant of the script, counted from its origin. */
static int64_t option_instant(Line *l, const char *name, int64_t otherwise) {
    const char *value = option(l, name);
    return value ? l->machine->origin_ns + to_ns(l, value) : otherwise;
}

/* The words that are left, with a space around each. */
static void take_words(Line *l, char *out, size_t size) {
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < l->words && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s ", used ? "" : " ", l->word[i]);
    if (used >= size) fail(l, "too many names", out);
    l->words = 0;
}

/* ---- statements about a GPU ---- */

static const struct { const char *key; size_t offset; } NUMBERS[] = {
#define KEY(name) { #name, offsetof(Gpu, name) }
    KEY(origin_ns), KEY(sampled_from_ns), KEY(delay_us), KEY(lost_after_reads), KEY(max_sm_clock_mhz),
    KEY(default_power_limit_mw), KEY(memory_total), KEY(persistence), KEY(ecc),
    KEY(min_power_limit_mw), KEY(max_power_limit_mw), KEY(ecc_pending),
    KEY(application_sm_clock_mhz), KEY(pcie_generation), KEY(pcie_width), KEY(nvlinks),
}, COURSES[] = {
    KEY(temperature_c), KEY(sm_clock_mhz), KEY(power_limit_mw), KEY(throttle), KEY(violation),
    KEY(memory_used), KEY(mig),
#undef KEY
};

static Course *course_called(Gpu *g, const char *key) {
    for (size_t i = 0; i < sizeof COURSES / sizeof *COURSES; i++)
        if (!strcmp(key, COURSES[i].key)) return (Course *)((char *)g + COURSES[i].offset);
    return NULL;
}

static void read_pieces(Line *l, Curve *c) {
    while (l->words) {
        char *text = (char *)next_word(l, "a piece"), *part[4] = {0}, *rest = text;
        int parts = 0;
        while (parts < 4 && (part[parts] = strsep(&rest, ":"))) parts++;
        if (parts < 2 || rest) { fail(l, "not a piece (length:start_w:end_w:tau)", text); return; }
        double start_w = to_number(l, part[1]);
        double end_w = part[2] ? to_number(l, part[2]) : start_w;
        int64_t tau = part[3] ? to_ns(l, part[3]) : 0;
        if (!add_piece(c, to_ns(l, part[0]), start_w, end_w, tau)) fail(l, "an empty piece", part[0]);
    }
    c->shift = -option_ns(l, "from", 0);
    if (!c->count) fail(l, "a curve without pieces", l->rest);
}

static void read_curve(Line *l) {
    Curve *c = calloc(1, sizeof *c);
    *NEW(l->gpu->curve, l->gpu->curves) = c;
    const char *kind = next_word(l, "the kind of curve");
    if (!strcmp(kind, "pieces")) {
        c->kind = PIECES;
        read_pieces(l, c);
        return;
    }
    int ramp = !strcmp(kind, "ramp"), sine = !strcmp(kind, "sine");
    if (!ramp && !sine && strcmp(kind, "constant")) { fail(l, "no such curve", kind); return; }
    c->a = to_number(l, next_word(l, "watts"));
    if (!ramp && !sine) return;
    c->b = to_number(l, next_word(l, "watts"));
    c->kind = ramp ? RAMP : SINE;
    c->period = option_ns(l, ramp ? "over" : "period", 0);
    c->shift = ramp ? -option_ns(l, "from", 0) : option_ns(l, "shift", 0);
    if (c->period <= 0) fail(l, "a curve without a length", l->rest);
}

static void read_sensor(Line *l, Sensor *s, const char *resolution) {
    const char *gain = option(l, "gain"), *seed = option(l, "seed");
    if (gain) s->gain = to_number(l, gain);
    s->refresh.period = option_ns(l, "refresh", s->refresh.period);
    s->refresh.phase = option_ns(l, "phase", s->refresh.phase);
    s->refresh.jitter = option_ns(l, "jitter", s->refresh.jitter);
    if (seed) s->refresh.seed = strtoull(seed, NULL, 10);
    s->window = option_ns(l, "window", s->window);
    s->resolution = option_integer(l, resolution, s->resolution);
    if (s->resolution < 1) fail(l, "not a resolution", l->rest);
    if (s == &l->gpu->counter) {
        s->start = option_integer(l, "start_mj", s->start);
        s->modulus = option_integer(l, "modulus_mj", s->modulus);
    } else {
        s->lag = option_ns(l, "lag", s->lag);
    }
}

static void read_set(Line *l) {
    const char *key = next_word(l, "what is set");
    Course *course = course_called(l->gpu, key);
    if (!course) { fail(l, "not a course", key); return; }
    Step step = {.value = to_number(l, next_word(l, "its value"))};
    step.at = option_instant(l, "at", EVER);
    step.over = option_ns(l, "over", 0);
    if (!course_add(course, step)) fail(l, "earlier than the step before it", l->rest);
}

static int fault_kind(const char *key) {
    static const char *const KINDS[] = {"lost", "error", "zero", "spike", "slow", "stall"};
    for (int i = 0; i < 6; i++)
        if (!strcmp(key, KINDS[i])) return i;
    return -1;
}

static void read_fault(Line *l, FaultKind kind) {
    Fault *f = calloc(1, sizeof *f);
    *NEW(l->gpu->fault, l->gpu->faults) = f;
    f->kind = kind;
    if (kind == ERROR) f->by = to_integer(l, next_word(l, "the code"));
    if (kind == SLOW) f->by = to_ns(l, next_word(l, "how long"));
    if (kind == SPIKE) {
        snprintf(f->calls, sizeof f->calls, " %s ", next_word(l, "what is shown"));
        f->by = to_integer(l, next_word(l, "by how much"));
    } else {
        take_words(l, f->calls, sizeof f->calls);
    }
    f->start = option_instant(l, "from", EVER);
    f->end = option_instant(l, "to", FOREVER);
    f->every = option_integer(l, "every", 1);
    if (f->every < 1) fail(l, "every= has to be 1 or more", l->rest);
    if (kind == STALL && f->start == EVER) fail(l, "a stall needs from=", l->rest);
}

static void read_process(Line *l) {
    Process *p = NEW(l->gpu->process, l->gpu->processes);
    const char *file = option(l, "file"), *type = option(l, "type");
    snprintf(p->pid, sizeof p->pid, "%s%s", file ? "file=" : "", file ? file : next_word(l, "a pid"));
    if (!file && strcmp(p->pid, "self")) to_integer(l, p->pid);
    p->graphics = type && !strcmp(type, "graphics");
    p->memory = option_integer(l, "memory", 1 << 30);
    p->start = option_instant(l, "from", EVER);
    p->end = option_instant(l, "to", FOREVER);
}

static void read_slice(Line *l) {
    Gpu *s = *NEW(l->machine->slice, l->machine->slices) = calloc(1, sizeof *s);
    snprintf(s->uuid, sizeof s->uuid, "%s", next_word(l, "the UUID of the slice"));
    snprintf(s->name, sizeof s->name, "%.80s MIG", l->gpu->name);
    s->parent = l->gpu;
    s->gpu_instance = option_integer(l, "gi", 0);
    s->compute_instance = option_integer(l, "ci", 0);
    s->memory_total = option_integer(l, "memory_total", 0);
    course_add(&s->memory_used, (Step){EVER, 0, (double)option_integer(l, "memory_used", 0)});
}

static void copy_rest(Line *l, char *out, size_t size) {
    if (snprintf(out, size, "%s", l->rest) >= (int)size) fail(l, "too long", l->rest);
    l->words = l->options = 0;
}

static void read_number(Line *l, const char *key) {
    Course *course = course_called(l->gpu, key);
    if (course) {
        course_add(course, (Step){EVER, 0, (double)to_integer(l, next_word(l, key))});
        return;
    }
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        if (!strcmp(key, NUMBERS[i].key)) {
            *(int64_t *)((char *)l->gpu + NUMBERS[i].offset) = to_integer(l, next_word(l, key));
            return;
        }
    fail(l, "no such statement about a GPU", key);
}

static void read_about_gpu(Line *l, const char *key) {
    Gpu *g = l->gpu;
    if (!strcmp(key, "name")) copy_rest(l, g->name, sizeof g->name);
    else if (!strcmp(key, "pci")) copy_rest(l, g->pci, sizeof g->pci);
    else if (!strcmp(key, "unsupported")) take_words(l, g->unsupported, sizeof g->unsupported);
    else if (!strcmp(key, "curve")) read_curve(l);
    else if (!strcmp(key, "counter")) read_sensor(l, &g->counter, "resolution_mj");
    else if (!strcmp(key, "power")) read_sensor(l, &g->power, "resolution_mw");
    else if (!strcmp(key, "instant")) read_sensor(l, &g->instant, "resolution_mw");
    else if (!strcmp(key, "set")) read_set(l);
    else if (!strcmp(key, "process")) read_process(l);
    else if (!strcmp(key, "slice")) read_slice(l);
    else if (!strcmp(key, "reset")) {
        Reset reset = {option_instant(l, "at", EVER), option_integer(l, "to_mj", 0)};
        if (reset.at == EVER) fail(l, "a reset needs at=", l->rest);
        *NEW(g->reset, g->resets) = reset;
    } else if (fault_kind(key) >= 0) read_fault(l, (FaultKind)fault_kind(key));
    else read_number(l, key);
}

/* ---- statements ---- */

static Gpu *gpu_called(Machine *m, const char *uuid) {
    for (int i = 0; i < m->gpus; i++)
        if (!strcmp(m->gpu[i]->uuid, uuid)) return m->gpu[i];
    Gpu *g = *NEW(m->gpu, m->gpus) = calloc(1, sizeof *g);
    snprintf(g->uuid, sizeof g->uuid, "%s", uuid);
    g->script_ns = m->origin_ns;
    g->counted_to = EVER;
    g->counter.gain = g->power.gain = g->instant.gain = 1;
    g->counter.resolution = g->power.resolution = g->instant.resolution = 1;
    return g;
}

static void read_statement(Line *l, const char *key) {
    Machine *m = l->machine;
    if (!strcmp(key, "gpu")) l->gpu = gpu_called(m, next_word(l, "its UUID"));
    else if (l->gpu) read_about_gpu(l, key);
    else if (!strcmp(key, "driver")) copy_rest(l, m->driver, sizeof m->driver);
    else if (!strcmp(key, "nvml")) copy_rest(l, m->nvml, sizeof m->nvml);
    else if (!strcmp(key, "cuda")) m->cuda = to_integer(l, next_word(l, key));
    else if (!strcmp(key, "init")) m->init = to_integer(l, next_word(l, key));
    else if (!strcmp(key, "origin")) m->origin_ns = to_ns(l, next_word(l, key));
    else fail(l, "no such statement before the first gpu", key);
    if (l->words) fail(l, "more words than expected", l->word[0]);
    if (l->options) fail(l, "no such option here", l->option[0]);
}

static void read_line(Line *l, char *text) {
    char *key, *word, *rest = text;
    text[strcspn(text, "#\n")] = 0;
    rest += strspn(rest, " \t");
    for (char *end = rest + strlen(rest); end > rest && strchr(" \t\r", end[-1]);) *--end = 0;
    if (!*rest) return;
    key = strsep(&rest, " \t");
    char *whole = strdup(rest ? rest : "");
    l->rest = whole + strspn(whole, " \t");
    l->words = l->options = 0;
    while ((word = strsep(&rest, " \t"))) {
        if (!*word) continue;
        if (l->words == WORDS || l->options == WORDS) { fail(l, "too many words", key); break; }
        if (strchr(word, '=')) l->option[l->options++] = word;
        else l->word[l->words++] = word;
    }
    read_statement(l, key);
    free(whole);
}

Machine *read_script(const char *path) {
    FILE *file = fopen(path, "r");
    Line line = {.path = path, .machine = calloc(1, sizeof(Machine))};
    char *text = NULL;
    size_t size = 0;
    while (file && !line.failed && getline(&text, &size, file) > 0) {
        line.number++;
        read_line(&line, text);
    }
    free(text);
    if (file) fclose(file);
    if (file && !line.failed) return line.machine;
    forget(line.machine);
    return NULL;
}

/* ---- the end of a machine ---- */

static void forget_gpu(Gpu *g) {
    for (int i = 0; i < g->curves; i++) free(g->curve[i]->piece), free(g->curve[i]);
    for (int i = 0; i < g->faults; i++) free(g->fault[i]);
    for (size_t i = 0; i < sizeof COURSES / sizeof *COURSES; i++)
        free(((Course *)((char *)g + COURSES[i].offset))->step);
    free(g->curve), free(g->fault), free(g->process), free(g->reset);
    free(g);
}

void forget(Machine *m) {
    for (int i = 0; i < m->gpus; i++) forget_gpu(m->gpu[i]);
    for (int i = 0; i < m->slices; i++) forget_gpu(m->slice[i]);
    free(m->gpu), free(m->slice), free(m);
}
