"""What `?` shows in `bongsu top`: it fits on 80 columns and 24 lines."""

from __future__ import annotations

KEYS = (
    "Keys",
    "",
    "  c  by CPU          m  by memory       i  by reads and writes",
    "  t  by threads      p  by pid          u  by user",
    "  (the same key again turns the order round)",
    "",
    "  o  owners: jobs, pods, containers, units, users against their limits",
    "  g  group by owner, by user, by command, not at all",
    "  G  processes on GPUs: c by use of the SMs, m by memory, t by GPU, i by use",
    "     of the memory, of groups by power; o, g, Enter, M, T, / and k as above",
    "  V  only the GPUs that CUDA_VISIBLE_DEVICES names, as bongsu was started",
    "  Enter  the processes of a group; Esc goes back",
    "  M  only mine       /  only lines that hold these words (an owner's, too)",
    "  T  tree: dim is what is not on that GPU, but started what is",
    "  a  arguments, if they are read, or not",
    "  arrows, PgUp, PgDn, Home, End   choose a line",
    "  k  send a process a signal, after asking",
    "  space  hold still  q  quit",
    "",
    "  CPU % is of one core: 800 means that eight are busy. A dash is what may",
    "  not be read. MEM of a process counts shared pages, of an owner with a",
    "  cgroup (by cgroup) all but the page cache that is given up first.",
    "  THR % is of the periods in which its CPU limit stopped it.",
)
