// Every sentence about GPUs and the processes on them.
import { words as common } from "./table_words.js";

export const words = {
  ...common,
  gpus: "GPUs",
  list: {
    columns: { gpu: "GPU", pid: "PID", user: "User", owner: "Owner", memory: "Memory", share: "Of its GPU", sm: "SMs", bandwidth: "Bandwidth", start: "Age", command: "Program" },
    help: {
      gpu: "Its index, and of an instance also GPU instance and compute instance", sm: "Share of the time in which a kernel of it ran; not told of instances",
      bandwidth: "Share of the time in which it read or wrote memory of the GPU", owner: "What manages it: Slurm job, pod, container, unit or user",
    },
    sortUnknown: (text) => `The address asks for gpu-sort=${text.slice(0, 40)}, which is no column of the processes on GPUs.`,
    none: "No process on a GPU matches.",
    unread: "Processes on GPUs were not read; Health says why.",
  },
  owners: {
    columns: {
      name: "Owner", user: "User", processes: "Processes", gpus: "GPUs", empty: "Empty", memory: "Memory", sm: "SMs", power: "Power",
      energy: "Energy", method: "Energy known from", start: "Age",
    },
    help: {
      name: "What manages the processes: Slurm job, pod, container, unit or user", gpus: "GPUs and instances that it has processes on or was given",
      empty: "Given to it, and without a process of it", memory: "Of all its processes on all GPUs",
      sm: "Share of the time in which a kernel of it ran, summed over GPUs: 200 % is two busy ones; not told of instances",
      power: "Its energy over the last seconds", energy: "What went to its processes since this was started",
      method: "All that the GPU used while nobody else was on it, or its share of the time of the SMs", start: "Of its oldest process",
    },
    sortUnknown: (text) => `The address asks for gpu-owner-sort=${text.slice(0, 40)}, which is no column of the owners of GPUs.`,
    none: "No owner on a GPU matches.",
    unread: "Processes on GPUs were not read; Health says why.",
  },
  byOwner: "By owner",
  ownersTable: "Table of owners of GPUs",
  processesOn: "Processes on GPUs",
  none: "none",
  methods: { sole: "alone on its GPU", sm_share: "share of SM time" },
  lessEnergy: "< 0.01 Wh",
  nobody: { idle: "while no kernel ran", unknown: "of which nobody can say whose" },
  nobodys: (parts) => `Energy that went to no owner: ${parts.join(", ")}.`,
  cutOwners: (shown, total) => `The ${shown} that hold most memory of ${total} are here.`,
  search: "Find a process, job, pod or user",
  table: "Table of processes on GPUs",
  cut: (shown, total) => `The ${shown} that hold most memory of ${total} are here.`,
  notRead: (why) => `GPUs are not read: ${why}`,
  card: (index, name) => `GPU ${index} ${name.replace(/^NVIDIA /, "")}`,
  use: "Use",
  memory: "Memory",
  of: (value, limit) => (limit === null ? value : `${value} of ${limit}`),
  slices: (count) => `Divided into ${count} instances`,
  slice: (index, profile, value) => `${index} ${profile}: ${value}`,
};
