// What the fake library plays: a machine read from the flat file beside the library (written by flat.py).
#ifndef FAKE_NVML_SCENARIO_H
#define FAKE_NVML_SCENARIO_H

#include <stdbool.h>

#define MOST_DEVICES 64
#define MOST_SLOTS 64

typedef struct { char kind; int count; double *n; } Part;  // c constant, s sine, t steps, w sawtooth, n noise
typedef struct { int count; Part *parts; } Curve;           // count 0: there is none

// Figures of a device (curves) and plain numbers; the words are those of the scenario, nested by dots.
#define FIGURES(X) \
  X(used_mib) X(utilization) X(memory_utilization) X(encoder) X(decoder) X(power) X(temperature) \
  X(memory_temperature) X(fan) X(performance_state) \
  X(clocks_graphics) X(clocks_sm) X(clocks_memory) X(clocks_video) \
  X(pcie_transmit) X(pcie_receive) X(nvlink_transmit) X(nvlink_receive) \
  X(activity_graphics) X(activity_sm) X(activity_occupancy) X(activity_tensor) X(activity_dram) \
  X(activity_fp64) X(activity_fp32) X(activity_fp16) \
  X(event_reasons_gpu_idle) X(event_reasons_applications_clocks_setting) X(event_reasons_sw_power_cap) \
  X(event_reasons_hw_slowdown) X(event_reasons_sync_boost) X(event_reasons_sw_thermal_slowdown) \
  X(event_reasons_hw_thermal_slowdown) X(event_reasons_hw_power_brake_slowdown) \
  X(event_reasons_display_clock_setting) X(event_reasons_board_limit) X(event_reasons_reliability)
#define NUMBERS(X) \
  X(minor) X(architecture) X(cores) X(memory_mib) X(reserved_mib) X(power_limit) X(power_default_limit) \
  X(energy_start) X(limits_shutdown) X(limits_slowdown) X(limits_memory_max) X(limits_gpu_max) \
  X(max_clocks_graphics) X(max_clocks_sm) X(max_clocks_memory) X(max_clocks_video) X(event_reasons) \
  X(pcie_generation) X(pcie_max_generation) X(pcie_width) X(pcie_max_width) X(pcie_replays) \
  X(pcie_transmit_start) X(pcie_receive_start) X(pcie_wraps_at) \
  X(nvlink_links) X(nvlink_down) X(nvlink_crc_errors) X(nvlink_replays) X(nvlink_recoveries) \
  X(ecc_corrected) X(ecc_uncorrected) X(ecc_corrected_lifetime) X(ecc_uncorrected_lifetime) \
  X(remapped_corrected) X(remapped_uncorrected) X(remapped_pending) X(remapped_failed) \
  X(retired_corrected) X(retired_uncorrected) X(retired_pending) X(recovery_action) \
  X(persistence) X(compute_mode) X(accounting) X(mig_enabled) X(mig_max_instances)
#define AS_FIGURE(name) F_##name,
#define AS_NUMBER(name) N_##name,
enum { FIGURES(AS_FIGURE) FIGURE_COUNT };
enum { NUMBERS(AS_NUMBER) NUMBER_COUNT };

typedef struct { double at; unsigned long long xid; } Xid;
typedef struct {
  int slot, gi, ci, slices, multiprocessors;
  unsigned long long memory_mib, reserved_mib;
  char uuid[80], profile[80];
  Curve figures[FIGURE_COUNT];  // only those of activity
} Instance;
typedef struct {
  char uuid[80], name[80], bus[32];
  double lost_at;  // < 0: never
  Curve figures[FIGURE_COUNT];
  long long numbers[NUMBER_COUNT];
  bool has[NUMBER_COUNT];
  int instance_count, xid_count;
  Instance *instances;
  Xid *xids;
} Device;
typedef struct {
  unsigned pid;
  double after, until;  // until < 0: for ever
  int gpu, gi, ci;      // gi, ci < 0: not on an instance
  unsigned kinds;       // 1 compute, 2 graphics, 4 MPS
  Curve memory_mib, sm, bandwidth, encoder, decoder;
} Use;
typedef struct { char call[80]; int error, gpu, field; double after, until; } Fault;  // error < 0: a hang
typedef struct { char call[80]; double seconds; } Latency;
typedef struct {
  char driver[80], nvml[80];
  int cuda;
  double start, frozen;  // Unix s; frozen < 0: the time runs
  bool padded, impossible, empty, since_boot;
  int device_count, use_count, fault_count, latency_count;
  Device *devices;
  Use *uses;
  Fault *faults;
  Latency *latencies;
} Scenario;

extern Scenario *S;
bool scenario_reload(void);  // reads the file again if it changed; false: it cannot be read
double scenario_time(void);  // s since the start
typedef struct { unsigned long long calls, ns; } Spent;
Spent *spent(void);  // CPU time in calls, in the file beside the library; NULL where there is none
unsigned long long cpu_ns(void);  // of this thread
double curve_value(const Curve *curve, double t);
double curve_total(const Curve *curve, double t);
double curve_highest(const Curve *curve);

#endif
