// Every sentence about GPUs and the processes on them.
import { words as common } from "./table_words.js";

export const words = {
  ...common,
  gpus: "GPUs",
  list: {
    columns: { gpu: "GPU", pid: "PID", user: "User", owner: "Owner", memory: "Memory", share: "Of its GPU", sm: "SMs", bandwidth: "Bandwidth", start: "Started", command: "Program" },
    help: {
      gpu: "Its index, and of an instance also GPU instance and compute instance", sm: "Share of the time in which a kernel of it ran; not told of instances",
      bandwidth: "Share of the time in which it read or wrote memory of the GPU", owner: "What manages it: Slurm job, pod, container, unit or user",
    },
    sortUnknown: (text) => `The address asks for gpu-sort=${text.slice(0, 40)}, which is no column of the processes on GPUs.`,
    none: "No process on a GPU matches.",
    unread: "Processes on GPUs were not read; Health says why.",
  },
  search: "Find a process on a GPU, a job, pod or user",
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
