"""The checks of one machine, in the order in which they are told: `bongsu check node`."""

from __future__ import annotations

from bongsu.checks import gpu
from bongsu.checks.contract import Check
from bongsu.checks.gpu_readings import GpuReadings

NODE: tuple[Check[GpuReadings], ...] = gpu.CHECKS
