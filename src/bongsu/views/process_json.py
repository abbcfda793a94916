"""Writes the processes, owners and GPUs of two batches as one JSON document, for programs."""

from __future__ import annotations

from bongsu.collectors.demo import DEMO
from bongsu.model.batch import Batch
from bongsu.model.errors import NotKnown
from bongsu.model.message import Message
from bongsu.model.summary import OwnerUse
from bongsu.views import gpu_entries, gpu_groups, gpu_processes
from bongsu.views.gpu_power import GpuPower
from bongsu.views.gpu_visible import CudaEnvironment
from bongsu.views.groups import By, Key
from bongsu.views.groups import arrange as arranged_groups
from bongsu.views.header import Readings
from bongsu.views.json_text import json_text
from bongsu.views.listing import rows_of
from bongsu.views.owned import keys
from bongsu.views.owner_uses import owner_uses
from bongsu.views.processes import Order, arrange
from bongsu.views.rates import Rates


def process_json(
    before: Batch,
    after: Batch,
    order: Order = Order(),  # noqa: B008  it is frozen
    only: CudaEnvironment | None = None,
) -> str:
    """One JSON object with what `bongsu top` shows.

    Its keys are ``format``, ``time``, ``window_seconds``, ``processes``, ``owners``, ``gpus``, ``gpu_processes``,
    ``gpu_owners``, ``cuda_visible_devices`` and ``demo``. ``time`` is Unix s; the keys of a GPU are those of `bongsu.model.summary.GpuUse`; ``demo``: whether GPUs are made up.
    Only what ``order`` filters for is in it. A process has the keys ``pid``, ``ppid``, ``user``, ``uid``,
    ``executable``, ``state``, ``start_time`` (Unix s), ``threads``, ``cores`` (CPU seconds per second),
    ``cpu_seconds``, ``resident_bytes``, ``virtual_bytes``, ``read_bytes_per_second``, ``written_bytes_per_second``,
    ``kernel``, ``arguments`` and ``owner``, with ``kind``, ``id``, ``name``, ``namespace``, ``container``, ``step`` and
    ``user``; null is not known. The keys of an owner are those of `bongsu.model.summary.OwnerUse`; ``owners`` is null
    where owners were not read, ``gpu_processes`` where processes on GPUs were not; in it a process on two GPUs stands twice.
    ``gpu_owners`` has the keys ``owner``, ``processes``, ``gpus`` with a process of it, ``gpus_given`` with or without one,
    ``gpus_empty`` (given, without one; null where nobody tells what was given or who is there), ``memory_bytes``,
    ``sm_ratio`` (a sum: 2 is two busy GPUs), ``power_watts``, ``energy_joules`` by the method that told it (within the
    window), ``oldest_process_start_time`` and ``oldest_age_seconds``. With ``only``, all that is about GPUs is of the visible ones, and ``cuda_visible_devices`` says
    which: ``value`` of the variable, ``gpus``, and ``problem`` with it, "" where there is none; else it is null.

    Raises:
        NotKnown: processes could not be read.
    """
    rates = Rates()
    rates.take(before)
    rates.take(after)
    if after.table("processes") is None:
        outcome = next((o for o in after.outcomes if o.collector == "process"), None)
        reason = None if outcome is None else outcome.error or outcome.no_data
        raise NotKnown(
            Message("processes could not be read: {reason}", reason=reason or "the collector process is off")
        )
    rows, known = rows_of(after), rates.processes()
    processes = [
        {
            "pid": row.pid, "ppid": row.ppid, "user": row.user, "uid": row.uid, "executable": row.executable,
            "state": row.state, "start_time": row.start_time, "threads": row.threads, "cores": rate.cores,
            "cpu_seconds": row.cpu_seconds, "resident_bytes": row.resident_bytes, "virtual_bytes": row.virtual_bytes,
            "read_bytes_per_second": rate.read_bytes, "written_bytes_per_second": rate.write_bytes,
            "kernel": row.kernel, "arguments": row.arguments, "owner": None if row.owner is None else keys(row.owner),
        }
        for row, rate, _ in arrange(rows, known, order)
    ]  # fmt: skip
    uses = owner_uses(after, rates)
    owners = None
    if uses is not None:
        by_key: dict[Key, OwnerUse] = {owner.key: use for owner, use in uses}
        owners = [by_key[group.key] for group in arranged_groups(rows, known, By.OWNER, order, uses)]
    window = after.monotonic - before.monotonic
    readings = Readings(after, rates, only)
    visible = readings.visible()
    on_gpus = gpu_owners = told = None
    power = GpuPower()
    power.take(before)
    power.take(after)
    if gpu_entries.part_of(after) is not None:
        entries = gpu_entries.entries(after, rows, visible, known)
        arranged = gpu_processes.arrange(entries, rows, order, after.time)
        on_gpus = [gpu_entries.document(one) for one in arranged if not one.context]
        groups = gpu_groups.arrange(entries, By.OWNER, order, after, power, visible)
        gpu_owners = [gpu_groups.document(group) for group in groups]
    if only is not None and visible is not None:
        told = {"value": only.value, "gpus": visible.gpus, "problem": visible.problem}
    return json_text(
        {
            "format": 1, "time": after.time, "window_seconds": window, "processes": processes, "owners": owners,
            "gpus": readings.gpus(), "gpu_processes": on_gpus, "gpu_owners": gpu_owners, "cuda_visible_devices": told,
            "demo": any(sample.spec is DEMO for sample in after.samples),
        }
    )  # fmt: skip
