"""What node_exporter collects by default and we do not, each with its reason; printed in docs/metrics.md."""

from __future__ import annotations

LEFT_OUT = {
    "bcache": "block caches are not found on GPU machines; the devices below and above are read by diskstats",
    "btrfs": "size and fullness are read by filesystem; allocation groups need an ioctl on each volume",
    "fibrechannel": "host bus adapters of storage servers, not of compute nodes",
    "infiniband": "comes with the network monitor of InfiniBand and EFA, which reads more counters than this one",
    "ipvs": "a load balancer's tables",
    "systemd": "asks the system bus for every unit at each scrape; Debian's build turns it on, upstream does not",
    "tapestats": "tape drives",
    "xfs": "some 40 internal counters for each file system; size, inodes and latency are read by filesystem and diskstats",
    "zfs": "internal counters of the ARC and pools; size and fullness are read by filesystem",
}
