// A libnvidia-ml.so.1 with no GPU behind it: each call answers from the scenario as nvml.h says a driver does.
#define _GNU_SOURCE
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <nvml.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scenario.h"

#define WHOLE 0xFFFFFFFFu  // not an instance
#define MIB 1048576ull

typedef struct nvmlDevice_st { int device, slot; } Handle;  // slot < 0: the device itself
static struct nvmlDevice_st handles[MOST_DEVICES][MOST_SLOTS + 1];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int initialised;

typedef struct { double t; int gpu; Device *device; Instance *instance; bool held; unsigned long long began; } Call;
enum { ANY = 0, MIG_TOO = 1, NO_INIT = 2, NO_HANDLE = 4 };

static void charge(Call *call) {
  if (!spent()) return;
  unsigned long long now = cpu_ns();
  spent()->ns += now - call->began;
  call->began = now;
}

static void end(Call *call) {
  charge(call);
  if (spent()) spent()->calls++;
  if (call->held) pthread_mutex_unlock(&lock);
}

static void doze(Call *call, double seconds) {
  struct timespec span = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
  pthread_mutex_unlock(&lock);
  nanosleep(&span, NULL);
  pthread_mutex_lock(&lock);
  scenario_reload();
  call->t = scenario_time();
  charge(call);  // one that waits for ever is to be seen too
}

static const Fault *fault_of(const char *name, int gpu, int field, bool hang, double t) {
  for (int i = 0; i < S->fault_count; i++) {
    const Fault *fault = &S->faults[i];
    if ((fault->error < 0) != hang || fault->field != field || (fault->gpu >= 0 && fault->gpu != gpu)) continue;
    if (t < fault->after || (fault->until >= 0 && t >= fault->until)) continue;
    if (!strcmp(fault->call, "*") || !strcmp(fault->call, name)) return fault;
  }
  return NULL;
}

static Instance *instance_in(Device *device, int slot) {
  for (int i = 0; i < device->instance_count; i++)
    if (device->instances[i].slot == slot) return &device->instances[i];
  return NULL;
}

static nvmlReturn_t find(Call *call, Handle *handle, int flags) {
  if (flags & NO_HANDLE) return NVML_SUCCESS;
  if (handle < &handles[0][0] || handle > &handles[MOST_DEVICES - 1][MOST_SLOTS]) return NVML_ERROR_INVALID_ARGUMENT;
  if (handle->device >= S->device_count) return NVML_ERROR_INVALID_ARGUMENT;
  call->gpu = handle->device;
  call->device = &S->devices[handle->device];
  if (handle->slot < 0) return NVML_SUCCESS;
  call->instance = call->device->numbers[N_mig_enabled] ? instance_in(call->device, handle->slot) : NULL;
  if (!call->instance) return NVML_ERROR_INVALID_ARGUMENT;  // the layout changed since
  return flags & MIG_TOO ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

static nvmlReturn_t begin(const char *name, Call *call, Handle *handle, int gpu, int flags) {
  pthread_mutex_lock(&lock);
  call->held = true;
  if (spent()) call->began = cpu_ns();
  if (!scenario_reload()) return NVML_ERROR_DRIVER_NOT_LOADED;
  call->t = scenario_time();
  if (!initialised && !(flags & NO_INIT)) return NVML_ERROR_UNINITIALIZED;
  if (gpu < 0 && !(flags & NO_HANDLE) && handle >= &handles[0][0] && handle <= &handles[MOST_DEVICES - 1][MOST_SLOTS])
    gpu = handle->device;
  while (fault_of(name, gpu, -1, true, call->t)) doze(call, 0.02);
  double latency = -1;
  for (int i = 0; i < S->latency_count; i++) {
    bool exact = !strcmp(S->latencies[i].call, name);
    if (exact || (latency < 0 && !strcmp(S->latencies[i].call, "*"))) latency = S->latencies[i].seconds;
    if (exact) break;
  }
  if (latency > 0) doze(call, latency);
  nvmlReturn_t result = find(call, handle, flags);
  if (result == NVML_ERROR_INVALID_ARGUMENT) return result;
  if (gpu >= 0 && gpu < S->device_count && S->devices[gpu].lost_at >= 0 && call->t >= S->devices[gpu].lost_at)
    return NVML_ERROR_GPU_IS_LOST;
  const Fault *fault = fault_of(name, gpu, -1, false, call->t);
  return fault ? (nvmlReturn_t)fault->error : result;
}

#define START(handle, asked, flags)                                      \
  Call call __attribute__((cleanup(end))) = {.gpu = -1};               \
  nvmlReturn_t begun = begin(__func__, &call, handle, asked, flags);     \
  if (begun != NVML_SUCCESS) return begun
#define ON(handle, flags) START(handle, -1, flags)
#define NEEDS(pointer) do { if (!(pointer)) return NVML_ERROR_INVALID_ARGUMENT; } while (0)
#define NUMBER(name) (call.device->numbers[N_##name])
#define HAS(name) (call.device->has[N_##name])
#define DIVIDED (HAS(mig_enabled) && NUMBER(mig_enabled))

static long long whole(double value) { return (long long)floor(value); }

static nvmlReturn_t text(char *to, unsigned length, const char *from) {
  NEEDS(to);
  if (strlen(from) >= length) return NVML_ERROR_INSUFFICIENT_SIZE;
  strcpy(to, from);
  return NVML_SUCCESS;
}

static nvmlReturn_t number(const Call *call, int which, double factor, unsigned *to) {
  NEEDS(to);
  if (!call->device->has[which]) return NVML_ERROR_NOT_SUPPORTED;
  *to = (unsigned)((double)call->device->numbers[which] * factor);
  return NVML_SUCCESS;
}

static nvmlReturn_t figure(const Call *call, int which, double factor, unsigned *to) {
  NEEDS(to);
  const Curve *curve = &call->device->figures[which];
  if (!curve->count) return NVML_ERROR_NOT_SUPPORTED;
  *to = (unsigned)whole(curve_value(curve, call->t) * factor);
  return NVML_SUCCESS;
}

// --- the library ---------------------------------------------------------------------------------------------------

static nvmlReturn_t initialise(void) {  // by whichever name, a fault of nvmlInit_v2 strikes
  Call call __attribute__((cleanup(end))) = {.gpu = -1};
  nvmlReturn_t begun = begin("nvmlInit_v2", &call, NULL, -1, NO_INIT | NO_HANDLE);
  if (begun != NVML_SUCCESS) return begun;
  for (int d = 0; d < MOST_DEVICES; d++)
    for (int s = 0; s <= MOST_SLOTS; s++) handles[d][s] = (Handle){d, s - 1};
  initialised++;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlInit_v2(void) { return initialise(); }
nvmlReturn_t nvmlInit(void) { return initialise(); }
nvmlReturn_t nvmlInitWithFlags(unsigned int flags) { (void)flags; return initialise(); }
nvmlReturn_t nvmlShutdown(void) {
  START(NULL, -1, NO_HANDLE);
  initialised--;
  return NVML_SUCCESS;
}

const char *nvmlErrorString(nvmlReturn_t result) {
  switch (result) {
    case NVML_SUCCESS: return "The operation was successful";
    case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_ERROR_NOT_FOUND: return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE: return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_ERROR_TIMEOUT: return "Timeout";
    case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
    case NVML_ERROR_RESET_REQUIRED: return "GPU requires reset";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "Driver/library version mismatch";
    case NVML_ERROR_ARGUMENT_VERSION_MISMATCH: return "Argument version mismatch";
    default: return "Unknown Error";
  }
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length) {
  START(NULL, -1, NO_HANDLE);
  return text(version, length, S->driver);
}
nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length) {
  START(NULL, -1, NO_HANDLE | NO_INIT);
  return text(version, length, S->nvml);
}
nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version) {
  START(NULL, -1, NO_HANDLE | NO_INIT);
  NEEDS(version);
  *version = S->cuda;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version) {
  START(NULL, -1, NO_HANDLE | NO_INIT);
  NEEDS(version);
  *version = S->cuda;
  return NVML_SUCCESS;
}

// --- which devices there are ---------------------------------------------------------------------------------------

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
  START(NULL, -1, NO_HANDLE);
  NEEDS(count);
  *count = (unsigned)S->device_count;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetCount(unsigned int *count) { return nvmlDeviceGetCount_v2(count); }

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
  START(NULL, index < MOST_DEVICES ? (int)index : -1, NO_HANDLE);
  NEEDS(device);
  if (index >= (unsigned)S->device_count) return NVML_ERROR_INVALID_ARGUMENT;
  *device = &handles[index][0];
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetHandleByIndex(unsigned int index, nvmlDevice_t *device) {
  return nvmlDeviceGetHandleByIndex_v2(index, device);
}
nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
  START(NULL, -1, NO_HANDLE);
  NEEDS(uuid && device);
  for (int d = 0; d < S->device_count; d++) {
    if (!strcmp(S->devices[d].uuid, uuid)) return *device = &handles[d][0], NVML_SUCCESS;
    for (int i = 0; i < S->devices[d].instance_count; i++)
      if (!strcmp(S->devices[d].instances[i].uuid, uuid))
        return *device = &handles[d][S->devices[d].instances[i].slot + 1], NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}
nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus, nvmlDevice_t *device) {
  START(NULL, -1, NO_HANDLE);
  NEEDS(bus && device);
  for (int d = 0; d < S->device_count; d++)
    if (!strcasecmp(S->devices[d].bus, bus) || !strcasecmp(S->devices[d].bus + 4, bus))
      return *device = &handles[d][0], NVML_SUCCESS;
  return NVML_ERROR_NOT_FOUND;
}
nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index) {
  ON(device, MIG_TOO);
  NEEDS(index);
  *index = (unsigned)(device->slot < 0 ? device->device : device->slot);
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length) {
  ON(device, MIG_TOO);
  return text(uuid, length, call.instance ? call.instance->uuid : call.device->uuid);
}
nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length) {
  ON(device, MIG_TOO);
  char full[200];
  snprintf(full, sizeof full, call.instance ? "%s MIG %s" : "%s", call.device->name,
           call.instance ? call.instance->profile : "");
  return text(name, length, full);
}
nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci) {
  ON(device, MIG_TOO);
  NEEDS(pci);
  memset(pci, 0, sizeof *pci);
  sscanf(call.device->bus, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
  snprintf(pci->busId, sizeof pci->busId, "%s", call.device->bus);
  snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%s", call.device->bus + 4);
  pci->pciDeviceId = 0x233010DE;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor) {
  ON(device, ANY);
  return number(&call, N_minor, 1, minor);
}
nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t device, nvmlDeviceArchitecture_t *architecture) {
  ON(device, MIG_TOO);
  return number(&call, N_architecture, 1, architecture);
}
nvmlReturn_t nvmlDeviceGetNumGpuCores(nvmlDevice_t device, unsigned int *cores) {
  ON(device, ANY);
  return number(&call, N_cores, 1, cores);
}
nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor) {
  static const int known[][2] = {{3, 5}, {5, 2}, {6, 0}, {7, 0}, {7, 5}, {8, 0}, {8, 9}, {9, 0}, {10, 0}};
  ON(device, MIG_TOO);
  NEEDS(major && minor);
  long long which = NUMBER(architecture) - NVML_DEVICE_ARCH_KEPLER;
  if (which < 0 || which > 8) return NVML_ERROR_NOT_SUPPORTED;
  *major = known[which][0], *minor = known[which][1];
  return NVML_SUCCESS;
}

// --- single numbers ------------------------------------------------------------------------------------------------

#define SIMPLE(name, how, which, factor)                           \
  nvmlReturn_t name(nvmlDevice_t device, unsigned int *value) {    \
    ON(device, ANY);                                               \
    return how(&call, which, factor, value);                       \
  }
SIMPLE(nvmlDeviceGetPowerUsage, figure, F_power, 1e3)
SIMPLE(nvmlDeviceGetPowerManagementLimit, number, N_power_limit, 1e3)
SIMPLE(nvmlDeviceGetEnforcedPowerLimit, number, N_power_limit, 1e3)
SIMPLE(nvmlDeviceGetPowerManagementDefaultLimit, number, N_power_default_limit, 1e3)
SIMPLE(nvmlDeviceGetCurrPcieLinkGeneration, number, N_pcie_generation, 1)
SIMPLE(nvmlDeviceGetMaxPcieLinkGeneration, number, N_pcie_max_generation, 1)
SIMPLE(nvmlDeviceGetCurrPcieLinkWidth, number, N_pcie_width, 1)
SIMPLE(nvmlDeviceGetMaxPcieLinkWidth, number, N_pcie_max_width, 1)
SIMPLE(nvmlDeviceGetPcieReplayCounter, number, N_pcie_replays, 1)
SIMPLE(nvmlDeviceGetFanSpeed, figure, F_fan, 1)
SIMPLE(nvmlDeviceGetPerformanceState, figure, F_performance_state, 1)
SIMPLE(nvmlDeviceGetPersistenceMode, number, N_persistence, 1)
SIMPLE(nvmlDeviceGetComputeMode, number, N_compute_mode, 1)
SIMPLE(nvmlDeviceGetAccountingMode, number, N_accounting, 1)
SIMPLE(nvmlDeviceGetRetiredPagesPendingStatus, number, N_retired_pending, 1)

nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *energy) {
  ON(device, ANY);
  NEEDS(energy);
  const Curve *power = &call.device->figures[F_power];
  if (!power->count) return NVML_ERROR_NOT_SUPPORTED;
  *energy = (unsigned long long)NUMBER(energy_start) * 1000 + (unsigned long long)whole(curve_total(power, call.t) * 1e3);
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *value) {
  ON(device, ANY);
  if (sensor != NVML_TEMPERATURE_GPU) return NVML_ERROR_INVALID_ARGUMENT;
  return figure(&call, F_temperature, 1, value);
}
nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature) {
  ON(device, ANY);
  NEEDS(temperature);
  if (temperature->version != nvmlTemperature_v1) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  if (temperature->sensorType != NVML_TEMPERATURE_GPU) return NVML_ERROR_INVALID_ARGUMENT;
  return figure(&call, F_temperature, 1, (unsigned *)&temperature->temperature);
}
nvmlReturn_t nvmlDeviceGetTemperatureThreshold(nvmlDevice_t device, nvmlTemperatureThresholds_t which, unsigned int *value) {
  static const int limits[] = {N_limits_shutdown, N_limits_slowdown, N_limits_memory_max, N_limits_gpu_max};
  ON(device, ANY);
  if ((int)which < 0 || which >= NVML_TEMPERATURE_THRESHOLD_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
  if (which > NVML_TEMPERATURE_THRESHOLD_GPU_MAX) return NVML_ERROR_NOT_SUPPORTED;
  return number(&call, limits[which], 1, value);
}
nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock) {
  static const int clocks[] = {F_clocks_graphics, F_clocks_sm, F_clocks_memory, F_clocks_video};
  ON(device, ANY);
  if ((int)type < 0 || type > NVML_CLOCK_VIDEO) return NVML_ERROR_INVALID_ARGUMENT;
  return figure(&call, clocks[type], 1, clock);
}
nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock) {
  static const int clocks[] = {N_max_clocks_graphics, N_max_clocks_sm, N_max_clocks_memory, N_max_clocks_video};
  ON(device, ANY);
  if ((int)type < 0 || type > NVML_CLOCK_VIDEO) return NVML_ERROR_INVALID_ARGUMENT;
  return number(&call, clocks[type], 1, clock);
}

static nvmlReturn_t reasons(const Call *call, unsigned long long *mask) {
  NEEDS(mask);
  if (!call->device->has[N_event_reasons]) return NVML_ERROR_NOT_SUPPORTED;
  *mask = 0;
  for (int i = 0; i <= F_event_reasons_reliability - F_event_reasons_gpu_idle; i++) {  // in the order of their bits
    const Curve *curve = &call->device->figures[F_event_reasons_gpu_idle + i];
    if (curve->count && curve_value(curve, call->t) >= 0.5) *mask |= 1ull << i;
  }
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *mask) {
  ON(device, ANY);
  return reasons(&call, mask);
}
nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *mask) {
  ON(device, ANY);
  return reasons(&call, mask);
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
  ON(device, ANY);
  NEEDS(rates);
  if (DIVIDED) return NVML_ERROR_NOT_SUPPORTED;
  nvmlReturn_t result = figure(&call, F_utilization, 1, &rates->gpu);
  return result ? result : figure(&call, F_memory_utilization, 1, &rates->memory);
}
static nvmlReturn_t codec(const Call *call, int which, unsigned *value, unsigned *period) {
  NEEDS(value && period);
  if (call->device->has[N_mig_enabled] && call->device->numbers[N_mig_enabled]) return NVML_ERROR_NOT_SUPPORTED;
  *period = 167000;
  return figure(call, which, 1, value);
}
nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned int *value, unsigned int *period) {
  ON(device, ANY);
  return codec(&call, F_encoder, value, period);
}
nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned int *value, unsigned int *period) {
  ON(device, ANY);
  return codec(&call, F_decoder, value, period);
}

// --- memory --------------------------------------------------------------------------------------------------------

static bool alive(const Use *use, double t) { return t >= use->after && (use->until < 0 || t < use->until); }
static unsigned long long bytes_of(const Curve *mib, double t) {
  return (unsigned long long)whole(curve_value(mib, t) * (double)MIB);
}
static bool is_on(const Use *use, const Call *call) {  // memory belongs to the GPU instance
  return use->gpu == call->gpu && (!call->instance || use->gi == call->instance->gi);
}

static void memory_of(const Call *call, nvmlMemory_v2_t *memory) {
  const Curve *told = &call->device->figures[F_used_mib];
  memory->total = (call->instance ? call->instance->memory_mib : (unsigned long long)call->device->numbers[N_memory_mib]) * MIB;
  memory->reserved = (call->instance ? call->instance->reserved_mib : (unsigned long long)call->device->numbers[N_reserved_mib]) * MIB;
  memory->used = 0;
  if (told->count && !call->instance) memory->used = bytes_of(told, call->t);
  else
    for (int i = 0; i < S->use_count; i++)
      if (is_on(&S->uses[i], call) && alive(&S->uses[i], call->t)) memory->used += bytes_of(&S->uses[i].memory_mib, call->t);
  unsigned long long taken = memory->used + memory->reserved;
  memory->free = memory->total > taken ? memory->total - taken : 0;
}
nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory) {
  ON(device, MIG_TOO);
  NEEDS(memory);
  if (memory->version != nvmlMemory_v2) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  memory_of(&call, memory);
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
  ON(device, MIG_TOO);
  NEEDS(memory);
  nvmlMemory_v2_t full;
  memory_of(&call, &full);
  memory->total = full.total, memory->free = full.free, memory->used = full.used + full.reserved;
  return NVML_SUCCESS;
}

// --- health --------------------------------------------------------------------------------------------------------

nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, nvmlEnableState_t *current, nvmlEnableState_t *pending) {
  ON(device, ANY);
  NEEDS(current && pending);
  if (!HAS(ecc_corrected)) return NVML_ERROR_NOT_SUPPORTED;
  *current = *pending = NVML_FEATURE_ENABLED;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, nvmlMemoryErrorType_t type, nvmlEccCounterType_t counter, unsigned long long *count) {
  ON(device, ANY);
  NEEDS(count);
  if (!HAS(ecc_corrected)) return NVML_ERROR_NOT_SUPPORTED;
  bool life = counter == NVML_AGGREGATE_ECC;
  *count = (unsigned long long)(type == NVML_MEMORY_ERROR_TYPE_CORRECTED ? (life ? NUMBER(ecc_corrected_lifetime) : NUMBER(ecc_corrected))
                                : (life ? NUMBER(ecc_uncorrected_lifetime) : NUMBER(ecc_uncorrected)));
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected, unsigned int *uncorrected, unsigned int *pending, unsigned int *failed) {
  ON(device, ANY);
  nvmlReturn_t result = number(&call, N_remapped_corrected, 1, corrected);
  if (result) return result;
  number(&call, N_remapped_uncorrected, 1, uncorrected);
  number(&call, N_remapped_pending, 1, pending);
  return number(&call, N_remapped_failed, 1, failed);
}
nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter, unsigned int *value) {
  ON(device, ANY);
  if (counter >= NVML_PCIE_UTIL_COUNT) return NVML_ERROR_INVALID_ARGUMENT;
  doze(&call, 0.02);  // as long as the real one counts
  if (find(&call, device, ANY)) return NVML_ERROR_INVALID_ARGUMENT;
  return figure(&call, counter == NVML_PCIE_UTIL_TX_BYTES ? F_pcie_transmit : F_pcie_receive, 1e-3, value);
}
nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, nvmlEnableState_t *state) {
  ON(device, ANY);
  NEEDS(state);
  if (!HAS(nvlink_links)) return NVML_ERROR_NOT_SUPPORTED;
  if (link >= (unsigned)NUMBER(nvlink_links)) return NVML_ERROR_INVALID_ARGUMENT;
  *state = NUMBER(nvlink_down) >> link & 1 ? NVML_FEATURE_DISABLED : NVML_FEATURE_ENABLED;
  return NVML_SUCCESS;
}

// --- field values --------------------------------------------------------------------------------------------------

static nvmlReturn_t field_number(const Call *call, int which, double factor, nvmlFieldValue_t *field) {
  if (!call->device->has[which]) return NVML_ERROR_NOT_SUPPORTED;
  field->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
  field->value.uiVal = (unsigned)((double)call->device->numbers[which] * factor);
  return NVML_SUCCESS;
}
static nvmlReturn_t field_wide(nvmlFieldValue_t *field, double value) {
  field->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
  field->value.ullVal = (unsigned long long)whole(value);
  return NVML_SUCCESS;
}
static nvmlReturn_t field_figure(const Call *call, int which, double factor, nvmlFieldValue_t *field) {
  field->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
  return figure(call, which, factor, &field->value.uiVal);
}
static nvmlReturn_t field_reason(const Call *call, int which, nvmlFieldValue_t *field) {
  if (!call->device->has[N_event_reasons]) return NVML_ERROR_NOT_SUPPORTED;
  const Curve *curve = &call->device->figures[which];
  return field_wide(field, curve->count ? curve_total(curve, call->t) * 1e9 : 0);
}
static nvmlReturn_t field_pcie(const Call *call, int which, int start, nvmlFieldValue_t *field) {
  const Curve *curve = &call->device->figures[which];
  if (!curve->count) return NVML_ERROR_NOT_SUPPORTED;
  field_wide(field, curve_total(curve, call->t));
  field->value.ullVal += (unsigned long long)call->device->numbers[start];
  if (call->device->has[N_pcie_wraps_at]) field->value.ullVal %= (unsigned long long)call->device->numbers[N_pcie_wraps_at];
  return NVML_SUCCESS;
}
static nvmlReturn_t field_nvlink(const Call *call, int which, bool newer, nvmlFieldValue_t *field) {
  long long links = call->device->numbers[N_nvlink_links];
  if (!call->device->has[N_nvlink_links]) return NVML_ERROR_NOT_SUPPORTED;
  if (newer != (call->device->numbers[N_architecture] >= NVML_DEVICE_ARCH_BLACKWELL)) return NVML_ERROR_NOT_SUPPORTED;
  double total = curve_total(&call->device->figures[which], call->t);
  if (field->scopeId != 0xFFFFFFFF || newer) {
    if (field->scopeId >= links) return NVML_ERROR_INVALID_ARGUMENT;
    total /= (double)links;
  }
  return field_wide(field, newer ? total : total / 1024.0);
}
static nvmlReturn_t field_value(const Call *call, nvmlFieldValue_t *field) {
  const Fault *fault = fault_of("nvmlDeviceGetFieldValues", call->gpu, (int)field->fieldId, false, call->t);
  if (fault) return (nvmlReturn_t)fault->error;
  if (call->instance) return NVML_ERROR_NOT_SUPPORTED;
  switch (field->fieldId) {
    case NVML_FI_DEV_ECC_CURRENT:
      if (!call->device->has[N_ecc_corrected]) return NVML_ERROR_NOT_SUPPORTED;
      field->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
      field->value.uiVal = 1;
      return NVML_SUCCESS;
    case NVML_FI_DEV_ECC_SBE_VOL_TOTAL: return field_number(call, N_ecc_corrected, 1, field);
    case NVML_FI_DEV_ECC_DBE_VOL_TOTAL: return field_number(call, N_ecc_uncorrected, 1, field);
    case NVML_FI_DEV_ECC_SBE_AGG_TOTAL: return field_number(call, N_ecc_corrected_lifetime, 1, field);
    case NVML_FI_DEV_ECC_DBE_AGG_TOTAL: return field_number(call, N_ecc_uncorrected_lifetime, 1, field);
    case NVML_FI_DEV_RETIRED_SBE: return field_number(call, N_retired_corrected, 1, field);
    case NVML_FI_DEV_RETIRED_DBE: return field_number(call, N_retired_uncorrected, 1, field);
    case NVML_FI_DEV_RETIRED_PENDING: return field_number(call, N_retired_pending, 1, field);
    case NVML_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL: return field_number(call, N_nvlink_crc_errors, 1, field);
    case NVML_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL: return field_number(call, N_nvlink_crc_errors, 0, field);
    case NVML_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL: return field_number(call, N_nvlink_replays, 1, field);
    case NVML_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL: return field_number(call, N_nvlink_recoveries, 1, field);
    case NVML_FI_DEV_PERF_POLICY_POWER: return field_reason(call, F_event_reasons_sw_power_cap, field);
    case NVML_FI_DEV_PERF_POLICY_SYNC_BOOST: return field_reason(call, F_event_reasons_sync_boost, field);
    case NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN: return field_reason(call, F_event_reasons_sw_thermal_slowdown, field);
    case NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN: return field_reason(call, F_event_reasons_hw_thermal_slowdown, field);
    case NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN: return field_reason(call, F_event_reasons_hw_power_brake_slowdown, field);
    case NVML_FI_DEV_MEMORY_TEMP: return field_figure(call, F_memory_temperature, 1, field);
    case NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION:
      if (!call->device->figures[F_power].count) return NVML_ERROR_NOT_SUPPORTED;
      field_wide(field, curve_total(&call->device->figures[F_power], call->t) * 1e3);
      field->value.ullVal += (unsigned long long)call->device->numbers[N_energy_start] * 1000;
      return NVML_SUCCESS;
    case NVML_FI_DEV_NVLINK_LINK_COUNT: return field_number(call, N_nvlink_links, 1, field);
    case NVML_FI_DEV_PCIE_REPLAY_COUNTER: return field_number(call, N_pcie_replays, 1, field);
    case NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX: return field_nvlink(call, F_nvlink_transmit, false, field);
    case NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX: return field_nvlink(call, F_nvlink_receive, false, field);
    case NVML_FI_DEV_REMAPPED_COR: return field_number(call, N_remapped_corrected, 1, field);
    case NVML_FI_DEV_REMAPPED_UNC: return field_number(call, N_remapped_uncorrected, 1, field);
    case NVML_FI_DEV_REMAPPED_PENDING: return field_number(call, N_remapped_pending, 1, field);
    case NVML_FI_DEV_REMAPPED_FAILURE: return field_number(call, N_remapped_failed, 1, field);
    case NVML_FI_DEV_POWER_AVERAGE:
    case NVML_FI_DEV_POWER_INSTANT: return field_figure(call, F_power, 1e3, field);
    case NVML_FI_DEV_PCIE_COUNT_TX_BYTES: return field_pcie(call, F_pcie_transmit, N_pcie_transmit_start, field);
    case NVML_FI_DEV_PCIE_COUNT_RX_BYTES: return field_pcie(call, F_pcie_receive, N_pcie_receive_start, field);
    case NVML_FI_DEV_NVLINK_COUNT_XMIT_BYTES: return field_nvlink(call, F_nvlink_transmit, true, field);
    case NVML_FI_DEV_NVLINK_COUNT_RCV_BYTES: return field_nvlink(call, F_nvlink_receive, true, field);
    case NVML_FI_DEV_GET_GPU_RECOVERY_ACTION: return field_number(call, N_recovery_action, 1, field);
    default: return NVML_ERROR_NOT_SUPPORTED;
  }
}
nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values) {
  ON(device, MIG_TOO);
  NEEDS(values);
  if (count < 0) return NVML_ERROR_INVALID_ARGUMENT;
  for (int i = 0; i < count; i++) {
    values[i].timestamp = (long long)((S->start + call.t) * 1e6);
    values[i].latencyUsec = 0;
    values[i].nvmlReturn = field_value(&call, &values[i]);
  }
  return NVML_SUCCESS;
}

// --- processes -----------------------------------------------------------------------------------------------------

static bool listed(const Use *use, const Call *call, unsigned kinds) {
  return is_on(use, call) && (!call->instance || use->ci == call->instance->ci) && use->kinds & kinds && alive(use, call->t);
}
static unsigned long long told(const Use *use, double t) {
  return use->memory_mib.count ? bytes_of(&use->memory_mib, t) : ~0ull;
}
static nvmlReturn_t processes(const Call *call, unsigned kinds, unsigned *count, void *infos, bool old) {
  NEEDS(count);
  unsigned room = *count, found = 0;
  for (int i = 0; i < S->use_count; i++) {
    const Use *use = &S->uses[i];
    if (!listed(use, call, kinds)) continue;
    if (found < room && infos) {
      if (old) ((nvmlProcessInfo_v1_t *)infos)[found] = (nvmlProcessInfo_v1_t){use->pid, told(use, call->t)};
      else ((nvmlProcessInfo_v2_t *)infos)[found] = (nvmlProcessInfo_v2_t){use->pid, told(use, call->t), (unsigned)use->gi, (unsigned)use->ci};
    }
    found++;
  }
  *count = found;
  return found > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}
#define LIST(name, type, kinds, old)                                                  \
  nvmlReturn_t name(nvmlDevice_t device, unsigned int *count, type *infos) {          \
    ON(device, MIG_TOO);                                                              \
    return processes(&call, kinds, count, infos, old);                                \
  }
LIST(nvmlDeviceGetComputeRunningProcesses_v3, nvmlProcessInfo_t, 1, false)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v3, nvmlProcessInfo_t, 2, false)
LIST(nvmlDeviceGetMPSComputeRunningProcesses_v3, nvmlProcessInfo_t, 4, false)
LIST(nvmlDeviceGetComputeRunningProcesses_v2, nvmlProcessInfo_v2_t, 1, false)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v2, nvmlProcessInfo_v2_t, 2, false)
LIST(nvmlDeviceGetMPSComputeRunningProcesses_v2, nvmlProcessInfo_v2_t, 4, false)
LIST(nvmlDeviceGetComputeRunningProcesses, nvmlProcessInfo_v1_t, 1, true)
LIST(nvmlDeviceGetGraphicsRunningProcesses, nvmlProcessInfo_v1_t, 2, true)
LIST(nvmlDeviceGetMPSComputeRunningProcesses, nvmlProcessInfo_v1_t, 4, true)

nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device, nvmlProcessDetailList_t *list) {
  ON(device, MIG_TOO);
  NEEDS(list);
  if (list->version != nvmlProcessDetailList_v1) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  if (list->mode >= NVML_PROCESS_MODE_MAX) return NVML_ERROR_INVALID_ARGUMENT;
  if (NUMBER(architecture) < NVML_DEVICE_ARCH_HOPPER) return NVML_ERROR_NOT_SUPPORTED;
  unsigned kinds = list->mode == NVML_PROCESS_MODE_ALL ? 7u : 1u << list->mode;
  unsigned room = list->procArray ? list->numProcArrayEntries : 0, found = 0;
  for (int i = 0; i < S->use_count; i++) {
    const Use *use = &S->uses[i];
    if (!listed(use, &call, kinds)) continue;
    if (found < room)
      list->procArray[found] = (nvmlProcessDetail_v1_t){use->pid, told(use, call.t), (unsigned)use->gi, (unsigned)use->ci, 0};
    found++;
  }
  list->numProcArrayEntries = found;
  return found > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

static unsigned long long stamp(void) {
  struct timespec now;
  clock_gettime(S->since_boot ? CLOCK_BOOTTIME : CLOCK_REALTIME, &now);
  return (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
}
static unsigned share(const Curve *curve, double t) { return (unsigned)whole(curve_value(curve, t)); }

// The samples of one look, in `found`; as many as there are. A process that did nothing has none.
static int samples(const Call *call, unsigned long long since, nvmlProcessUtilizationInfo_v1_t *found) {
  unsigned long long now = stamp();
  int count = 0;
  for (int i = 0; i < S->use_count && now > since; i++) {
    const Use *use = &S->uses[i];
    if (!listed(use, call, 7)) continue;
    nvmlProcessUtilizationInfo_v1_t one = {.timeStamp = now, .pid = use->pid,
      .smUtil = use->sm.count ? share(&use->sm, call->t) : (unsigned)NVML_VALUE_NOT_AVAILABLE,
      .memUtil = share(&use->bandwidth, call->t), .encUtil = share(&use->encoder, call->t), .decUtil = share(&use->decoder, call->t)};
    if (one.smUtil || one.memUtil || one.encUtil || one.decUtil) found[count++] = one;
  }
  if (S->impossible && count) {
    found[count] = found[0];
    found[count].smUtil = 4000000000u, found[count++].timeStamp++;
  }
  while (S->padded && count < 100) found[count++] = (nvmlProcessUtilizationInfo_v1_t){0};
  return count;
}
static nvmlReturn_t none_found(void) { return S->empty ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND; }

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *utilization, unsigned int *count, unsigned long long since) {
  ON(device, ANY);
  NEEDS(count);
  if (DIVIDED) return NVML_ERROR_NOT_SUPPORTED;
  nvmlProcessUtilizationInfo_v1_t *found = calloc((size_t)S->use_count + 101, sizeof *found);
  int there = samples(&call, since, found);
  nvmlReturn_t result = NVML_SUCCESS;
  if (!there) result = none_found();
  else if (!utilization || *count < (unsigned)there) result = NVML_ERROR_INSUFFICIENT_SIZE;
  else
    for (int i = 0; i < there; i++)
      utilization[i] = (nvmlProcessUtilizationSample_t){found[i].pid, found[i].timeStamp, found[i].smUtil, found[i].memUtil, found[i].encUtil, found[i].decUtil};
  *count = (unsigned)there;
  free(found);
  return result;
}
nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device, nvmlProcessesUtilizationInfo_t *info) {
  ON(device, ANY);
  NEEDS(info);
  if (info->version != nvmlProcessesUtilizationInfo_v1) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  if (DIVIDED) return NVML_ERROR_NOT_SUPPORTED;
  nvmlProcessUtilizationInfo_v1_t *found = calloc((size_t)S->use_count + 101, sizeof *found);
  int there = samples(&call, info->lastSeenTimeStamp, found);
  nvmlReturn_t result = NVML_SUCCESS;
  if (!there) result = none_found();
  else if (!info->procUtilArray || info->processSamplesCount < (unsigned)there) result = NVML_ERROR_INSUFFICIENT_SIZE;
  else memcpy(info->procUtilArray, found, sizeof *found * (size_t)there);
  info->processSamplesCount = (unsigned)there;
  free(found);
  return result;
}

nvmlReturn_t nvmlDeviceGetAccountingPids(nvmlDevice_t device, unsigned int *count, unsigned int *pids) {
  ON(device, ANY);
  NEEDS(count);
  if (!NUMBER(accounting)) return NVML_ERROR_NOT_SUPPORTED;
  unsigned room = pids ? *count : 0, found = 0;
  for (int i = 0; i < S->use_count; i++) {
    if (S->uses[i].gpu != call.gpu || call.t < S->uses[i].after) continue;
    if (found < room) pids[found] = S->uses[i].pid;
    found++;
  }
  *count = found;
  return found > room ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetAccountingStats(nvmlDevice_t device, unsigned int pid, nvmlAccountingStats_t *stats) {
  ON(device, ANY);
  NEEDS(stats);
  if (!NUMBER(accounting)) return NVML_ERROR_NOT_SUPPORTED;
  for (int i = 0; i < S->use_count; i++) {
    const Use *use = &S->uses[i];
    if (use->gpu != call.gpu || use->pid != pid || call.t < use->after) continue;
    bool running = alive(use, call.t);
    double last = running ? call.t : use->until, lived = last - use->after;
    memset(stats, 0, sizeof *stats);
    stats->gpuUtilization = !use->sm.count ? (unsigned)NVML_VALUE_NOT_AVAILABLE : lived > 0 ? (unsigned)whole((curve_total(&use->sm, last) - curve_total(&use->sm, use->after)) / lived) : 0;
    stats->memoryUtilization = lived > 0 ? (unsigned)whole((curve_total(&use->bandwidth, last) - curve_total(&use->bandwidth, use->after)) / lived) : 0;
    stats->maxMemoryUsage = use->memory_mib.count ? (unsigned long long)whole(curve_highest(&use->memory_mib) * (double)MIB) : ~0ull;
    stats->time = running ? 0 : (unsigned long long)whole(lived * 1e3);
    stats->startTime = (unsigned long long)whole((S->start + use->after) * 1e6);
    stats->isRunning = running;
    return NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}
nvmlReturn_t nvmlDeviceGetAccountingBufferSize(nvmlDevice_t device, unsigned int *size) {
  ON(device, ANY);
  NEEDS(size);
  *size = 4000;
  return NVML_SUCCESS;
}

// --- MIG -----------------------------------------------------------------------------------------------------------

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending) {
  ON(device, ANY);
  nvmlReturn_t result = number(&call, N_mig_enabled, 1, current);
  return result ? result : number(&call, N_mig_enabled, 1, pending);
}
nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count) {
  ON(device, ANY);
  NEEDS(count);
  *count = HAS(mig_max_instances) ? (unsigned)NUMBER(mig_max_instances) : 0;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *found) {
  ON(device, ANY);
  NEEDS(found);
  if (!HAS(mig_enabled)) return NVML_ERROR_NOT_SUPPORTED;
  if (index >= (unsigned)NUMBER(mig_max_instances)) return NVML_ERROR_INVALID_ARGUMENT;
  if (!DIVIDED || !instance_in(call.device, (int)index)) return NVML_ERROR_NOT_FOUND;
  *found = &handles[call.gpu][index + 1];
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned int *is) {
  ON(device, MIG_TOO);
  NEEDS(is);
  *is = call.instance != NULL;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t device, nvmlDevice_t *parent) {
  ON(device, MIG_TOO);
  NEEDS(parent);
  if (!call.instance) return NVML_ERROR_INVALID_ARGUMENT;
  *parent = &handles[call.gpu][0];
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id) {
  ON(device, MIG_TOO);
  NEEDS(id);
  if (!call.instance) return NVML_ERROR_NOT_SUPPORTED;
  *id = (unsigned)call.instance->gi;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id) {
  ON(device, MIG_TOO);
  NEEDS(id);
  if (!call.instance) return NVML_ERROR_NOT_SUPPORTED;
  *id = (unsigned)call.instance->ci;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes) {
  ON(device, MIG_TOO);
  NEEDS(attributes);
  if (!call.instance) return NVML_ERROR_NOT_SUPPORTED;
  memset(attributes, 0, sizeof *attributes);
  attributes->multiprocessorCount = (unsigned)call.instance->multiprocessors;
  for (int i = 0; i < call.device->instance_count; i++)
    if (call.device->instances[i].gi == call.instance->gi)
      attributes->gpuInstanceSliceCount += (unsigned)call.device->instances[i].slices;
  attributes->computeInstanceSliceCount = (unsigned)call.instance->slices;
  attributes->memorySizeMB = call.instance->memory_mib;
  return NVML_SUCCESS;
}

// --- GPM -----------------------------------------------------------------------------------------------------------

struct nvmlGpmSample_st { double t; int gpu, gi; };  // gpu < 0: not taken

static const Curve *activity(const Device *device, int gi) {
  if (gi < 0) return device->figures[F_activity_sm].count ? device->figures : NULL;
  for (int i = 0; i < device->instance_count; i++)
    if (device->instances[i].gi == gi && device->instances[i].figures[F_activity_sm].count) return device->instances[i].figures;
  return NULL;
}
nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *support) {
  ON(device, MIG_TOO);
  NEEDS(support);
  if (support->version != NVML_GPM_SUPPORT_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  support->isSupportedDevice = activity(call.device, -1) != NULL;
  for (int i = 0; i < call.device->instance_count; i++)
    if (activity(call.device, call.device->instances[i].gi)) support->isSupportedDevice = 1;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *sample) {
  START(NULL, -1, NO_HANDLE);
  NEEDS(sample);
  *sample = calloc(1, sizeof **sample);
  (*sample)->gpu = -1;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t sample) {
  START(NULL, -1, NO_HANDLE);
  NEEDS(sample);
  free(sample);
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t sample) {
  ON(device, ANY);
  NEEDS(sample);
  if (!activity(call.device, -1)) return NVML_ERROR_NOT_SUPPORTED;
  *sample = (struct nvmlGpmSample_st){call.t, call.gpu, -1};
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int gi, nvmlGpmSample_t sample) {
  ON(device, ANY);
  NEEDS(sample);
  if (!DIVIDED || !activity(call.device, (int)gi)) return NVML_ERROR_NOT_SUPPORTED;
  *sample = (struct nvmlGpmSample_st){call.t, call.gpu, (int)gi};
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *get) {
  START(NULL, get && get->sample2 ? get->sample2->gpu : -1, NO_HANDLE);
  NEEDS(get && get->sample1 && get->sample2);
  if (get->version != NVML_GPM_METRICS_GET_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  const struct nvmlGpmSample_st *one = get->sample1, *two = get->sample2;
  if (one->gpu < 0 || one->gpu != two->gpu || one->gi != two->gi || two->gpu >= S->device_count || get->numMetrics > NVML_GPM_METRIC_MAX)
    return NVML_ERROR_INVALID_ARGUMENT;
  const Curve *figures = activity(&S->devices[two->gpu], two->gi);
  if (!figures) return NVML_ERROR_NOT_SUPPORTED;
  for (unsigned i = 0; i < get->numMetrics; i++) {
    nvmlGpmMetric_t *metric = &get->metrics[i];
    int which = -1;
    switch (metric->metricId) {
      case NVML_GPM_METRIC_GRAPHICS_UTIL: which = F_activity_graphics; break;
      case NVML_GPM_METRIC_SM_UTIL: which = F_activity_sm; break;
      case NVML_GPM_METRIC_SM_OCCUPANCY: which = F_activity_occupancy; break;
      case NVML_GPM_METRIC_ANY_TENSOR_UTIL: which = F_activity_tensor; break;
      case NVML_GPM_METRIC_DRAM_BW_UTIL: which = F_activity_dram; break;
      case NVML_GPM_METRIC_FP64_UTIL: which = F_activity_fp64; break;
      case NVML_GPM_METRIC_FP32_UTIL: which = F_activity_fp32; break;
      case NVML_GPM_METRIC_FP16_UTIL: which = F_activity_fp16; break;
      default: break;
    }
    memset(&metric->metricInfo, 0, sizeof metric->metricInfo);
    metric->nvmlReturn = which < 0 ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
    metric->value = which < 0 ? 0 : curve_value(&figures[which], two->t);
  }
  return NVML_SUCCESS;
}

// --- events --------------------------------------------------------------------------------------------------------

struct nvmlEventSet_st { int next[MOST_DEVICES]; };  // the next of each device's errors to tell; < 0: not registered

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
  START(NULL, -1, NO_HANDLE);
  NEEDS(set);
  *set = calloc(1, sizeof **set);
  for (int d = 0; d < MOST_DEVICES; d++) (*set)->next[d] = -1;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
  START(NULL, -1, NO_HANDLE);
  NEEDS(set);
  free(set);
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long *types) {
  ON(device, ANY);
  NEEDS(types);
  *types = nvmlEventTypeXidCriticalError;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set) {
  ON(device, ANY);
  NEEDS(set);
  if (types & ~nvmlEventTypeXidCriticalError) return NVML_ERROR_NOT_SUPPORTED;
  int next = 0;
  while (next < call.device->xid_count && call.device->xids[next].at <= call.t) next++;
  set->next[call.gpu] = next;
  return NVML_SUCCESS;
}
nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeout_ms) {
  START(NULL, -1, NO_HANDLE);
  NEEDS(set && data);
  for (double waited = 0;; waited += 5) {
    for (int d = 0; d < S->device_count; d++) {
      const Device *device = &S->devices[d];
      int next = set->next[d];
      if (next < 0 || next >= device->xid_count || device->xids[next].at > call.t) continue;
      set->next[d]++;
      *data = (nvmlEventData_t){&handles[d][0], nvmlEventTypeXidCriticalError, device->xids[next].xid, WHOLE, WHOLE};
      return NVML_SUCCESS;
    }
    if (waited >= timeout_ms) return NVML_ERROR_TIMEOUT;
    doze(&call, 0.005);
  }
}
