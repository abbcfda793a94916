// Reads the flat file and draws its curves, step by step as src/bongsu/sources/nvml/curve.py does.
#define _GNU_SOURCE
#include "scenario.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

Scenario *S;
static struct stat seen;

#define AS_NAME(name) #name,
static const char *FIGURE_NAMES[] = {FIGURES(AS_NAME)};
static const char *NUMBER_NAMES[] = {NUMBERS(AS_NAME)};

static int named(const char **names, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (!strcmp(names[i], name)) return i;
  fprintf(stderr, "fake_nvml: no such name in the flat file: %s\n", name);
  abort();
}

static void *grown(void *items, int count, size_t size) {
  if (count & (count - 1)) return items;  // grows at powers of two
  void *more = realloc(items, size * (size_t)(count ? 2 * count : 1));
  if (!more) abort();
  return more;
}
#define ADD(items, count) (items = grown(items, count, sizeof *items), memset(&items[count], 0, sizeof *items), &items[count++])

// "c 5;s 50 20 7 0.3;…"; "-" is none
static Curve curve_of(const char *text) {
  Curve curve = {0, NULL};
  if (!strcmp(text, "-")) return curve;
  while (*text) {
    Part *part = ADD(curve.parts, curve.count);
    part->kind = *text++;
    while (*text == ' ') {
      char *end;
      double number = strtod(text, &end);
      *(double *)ADD(part->n, part->count) = number;
      text = end;
    }
    if (*text == ';') text++;
  }
  return curve;
}

static void curve_free(Curve *curve) {
  for (int i = 0; i < curve->count; i++) free(curve->parts[i].n);
  free(curve->parts);
}

static void scenario_free(Scenario *s) {
  if (!s) return;
  for (int i = 0; i < s->device_count; i++) {
    Device *device = &s->devices[i];
    for (int f = 0; f < FIGURE_COUNT; f++) curve_free(&device->figures[f]);
    for (int k = 0; k < device->instance_count; k++)
      for (int f = 0; f < FIGURE_COUNT; f++) curve_free(&device->instances[k].figures[f]);
    free(device->instances);
    free(device->xids);
  }
  for (int i = 0; i < s->use_count; i++) {
    Use *use = &s->uses[i];
    curve_free(&use->memory_mib), curve_free(&use->sm), curve_free(&use->bandwidth);
    curve_free(&use->encoder), curve_free(&use->decoder);
  }
  free(s->devices), free(s->uses), free(s->faults), free(s->latencies), free(s);
}

static void text_into(char *to, size_t size, const char *from) { snprintf(to, size, "%s", from); }

static void read_line(Scenario *s, char **w) {
  Device *device = s->device_count ? &s->devices[s->device_count - 1] : NULL;
  if (!strcmp(w[0], "driver")) text_into(s->driver, sizeof s->driver, w[1]);
  else if (!strcmp(w[0], "nvml")) text_into(s->nvml, sizeof s->nvml, w[1]);
  else if (!strcmp(w[0], "cuda")) s->cuda = atoi(w[1]);
  else if (!strcmp(w[0], "start")) s->start = strtod(w[1], NULL);
  else if (!strcmp(w[0], "frozen")) s->frozen = strtod(w[1], NULL);
  else if (!strcmp(w[0], "quirk")) {
    if (!strcmp(w[1], "padded_samples")) s->padded = true;
    else if (!strcmp(w[1], "impossible_samples")) s->impossible = true;
    else if (!strcmp(w[1], "empty_samples")) s->empty = true;
    else if (!strcmp(w[1], "clock_since_boot")) s->since_boot = true;
    else abort();
  } else if (!strcmp(w[0], "device")) {
    device = ADD(s->devices, s->device_count);
    text_into(device->uuid, sizeof device->uuid, w[1]);
    text_into(device->name, sizeof device->name, w[2]);
    text_into(device->bus, sizeof device->bus, w[3]);
    device->lost_at = strtod(w[4], NULL);
  } else if (!strcmp(w[0], "number")) {
    int n = named(NUMBER_NAMES, NUMBER_COUNT, w[1]);
    device->has[n] = true;
    device->numbers[n] = strtoll(w[2], NULL, 10);
  } else if (!strcmp(w[0], "figure")) {
    device->figures[named(FIGURE_NAMES, FIGURE_COUNT, w[1])] = curve_of(w[2]);
  } else if (!strcmp(w[0], "xid")) {
    Xid *xid = ADD(device->xids, device->xid_count);
    xid->at = strtod(w[1], NULL);
    xid->xid = strtoull(w[2], NULL, 10);
  } else if (!strcmp(w[0], "instance")) {
    Instance *instance = ADD(device->instances, device->instance_count);
    instance->slot = atoi(w[1]), instance->gi = atoi(w[2]), instance->ci = atoi(w[3]);
    instance->slices = atoi(w[4]), instance->multiprocessors = atoi(w[5]);
    instance->memory_mib = strtoull(w[6], NULL, 10), instance->reserved_mib = strtoull(w[7], NULL, 10);
    text_into(instance->uuid, sizeof instance->uuid, w[8]);
    text_into(instance->profile, sizeof instance->profile, w[9]);
  } else if (!strcmp(w[0], "activity")) {
    Instance *instance = &device->instances[device->instance_count - 1];
    instance->figures[named(FIGURE_NAMES, FIGURE_COUNT, w[1])] = curve_of(w[2]);
  } else if (!strcmp(w[0], "use")) {
    Use *use = ADD(s->uses, s->use_count);
    use->pid = (unsigned)strtoul(w[1], NULL, 10);
    use->after = strtod(w[2], NULL), use->until = strtod(w[3], NULL);
    use->gpu = atoi(w[4]), use->gi = atoi(w[5]), use->ci = atoi(w[6]), use->kinds = (unsigned)atoi(w[7]);
    use->memory_mib = curve_of(w[8]), use->sm = curve_of(w[9]), use->bandwidth = curve_of(w[10]);
    use->encoder = curve_of(w[11]), use->decoder = curve_of(w[12]);
  } else if (!strcmp(w[0], "fault")) {
    Fault *fault = ADD(s->faults, s->fault_count);
    text_into(fault->call, sizeof fault->call, w[1]);
    fault->error = atoi(w[2]), fault->gpu = atoi(w[3]), fault->field = atoi(w[4]);
    fault->after = strtod(w[5], NULL), fault->until = strtod(w[6], NULL);
  } else if (!strcmp(w[0], "latency")) {
    Latency *latency = ADD(s->latencies, s->latency_count);
    text_into(latency->call, sizeof latency->call, w[1]);
    latency->seconds = strtod(w[2], NULL);
  } else {
    fprintf(stderr, "fake_nvml: no such line in the flat file: %s\n", w[0]);
    abort();
  }
}

static void beside(char *path, size_t size, const char *name) {
  Dl_info info;
  const char *slash = dladdr((void *)beside, &info) ? strrchr(info.dli_fname, '/') : NULL;
  snprintf(path, size, "%.*s/%s", slash ? (int)(slash - info.dli_fname) : 1, slash ? info.dli_fname : ".", name);
}

static const char *flat_path(void) {
  static char path[4096];
  if (!path[0]) beside(path, sizeof path, "scenario.flat");
  return path;
}

Spent *spent(void) {
  static Spent *shared;
  static bool asked;
  if (asked) return shared;
  asked = true;
  char path[4096];
  beside(path, sizeof path, "spent");
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return NULL;
  void *map = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  return shared = map == MAP_FAILED ? NULL : map;
}

unsigned long long cpu_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (unsigned long long)now.tv_sec * 1000000000 + (unsigned long long)now.tv_nsec;
}

bool scenario_reload(void) {
  struct stat now;
  if (stat(flat_path(), &now)) return S != NULL;
  if (S && now.st_ino == seen.st_ino && now.st_mtim.tv_sec == seen.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == seen.st_mtim.tv_nsec)
    return true;
  FILE *file = fopen(flat_path(), "re");
  if (!file) return S != NULL;
  Scenario *fresh = calloc(1, sizeof *fresh);
  if (!fresh) abort();
  fresh->frozen = -1;
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, file) > 0) {
    line[strcspn(line, "\n")] = 0;
    char *words[16], *rest = line;
    int count = 0;
    while (count < 16 && (words[count] = strsep(&rest, "\t"))) count++;
    read_line(fresh, words);
  }
  free(line);
  fclose(file);
  scenario_free(S);
  S = fresh;
  seen = now;
  return true;
}

double scenario_time(void) {
  if (S->frozen >= 0) return S->frozen;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  double t = (double)now.tv_sec + (double)now.tv_nsec * 1e-9 - S->start;
  return t > 0 ? t : 0;
}

static double noise(uint64_t seed, uint64_t number) {
  uint64_t x = seed * 0x9E3779B97F4A7C15u + number * 0xBF58476D1CE4E5B9u + 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return (double)((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

// steps: repeat (< 0: none), then pairs of time and level
static double climbed(const Part *part, double t) {
  double sum = 0;
  for (int i = 1; i + 1 < part->count; i += 2) {
    double end = i + 2 < part->count ? part->n[i + 2] : INFINITY;
    double to = t < end ? t : end, span = to - part->n[i];
    sum += part->n[i + 1] * (span > 0 ? span : 0);
  }
  return sum;
}

static double part_value(const Part *part, double t) {
  const double *n = part->n;
  double level;
  switch (part->kind) {
    case 's': return n[0] + n[1] * sin(2.0 * M_PI * (t / n[2] + n[3]));
    case 't':
      if (n[0] > 0) t = t - floor(t / n[0]) * n[0];
      level = n[2];
      for (int i = 1; i + 1 < part->count; i += 2)
        if (n[i] <= t) level = n[i + 1];
      return level;
    case 'w': return n[0] + (n[1] - n[0]) * (t / n[2] - floor(t / n[2]));
    case 'n': return n[0] + n[1] * (2.0 * noise((uint64_t)n[3], (uint64_t)floor(t / n[2])) - 1.0);
    default: return n[0];
  }
}

static double part_total(const Part *part, double t) {
  const double *n = part->n;
  double turn = 2.0 * M_PI, rounds, share;
  switch (part->kind) {
    case 's': return n[0] * t + n[1] * n[2] / turn * (cos(turn * n[3]) - cos(turn * (t / n[2] + n[3])));
    case 't':
      if (n[0] < 0) return climbed(part, t);
      rounds = floor(t / n[0]);
      return rounds * climbed(part, n[0]) + climbed(part, t - rounds * n[0]);
    case 'w':
      rounds = floor(t / n[2]);
      share = t / n[2] - rounds;
      return n[2] * (rounds * ((n[0] + n[1]) / 2.0) + n[0] * share + (n[1] - n[0]) * share * share / 2.0);
    default: return n[0] * t;
  }
}

double curve_value(const Curve *curve, double t) {
  double sum = 0;
  for (int i = 0; i < curve->count; i++) sum += part_value(&curve->parts[i], t);
  return sum;
}

double curve_total(const Curve *curve, double t) {
  double sum = 0;
  for (int i = 0; i < curve->count; i++) sum += part_total(&curve->parts[i], t);
  return sum;
}

double curve_highest(const Curve *curve) {
  double sum = 0;
  for (int i = 0; i < curve->count; i++) {
    const Part *part = &curve->parts[i];
    const double *n = part->n;
    if (part->kind == 's' || part->kind == 'n') sum += n[0] + n[1];
    else if (part->kind == 'w') sum += n[0] > n[1] ? n[0] : n[1];
    else if (part->kind == 't') {
      double most = n[2];
      for (int k = 4; k < part->count; k += 2) most = n[k] > most ? n[k] : most;
      sum += most;
    } else sum += n[0];
  }
  return sum;
}
