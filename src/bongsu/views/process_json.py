"""Writes the processes of two batches as one JSON document, for programs."""

from __future__ import annotations

from bongsu.model.batch import Batch
from bongsu.model.errors import NotKnown
from bongsu.model.message import Message
from bongsu.model.process import ProcessRow
from bongsu.views.json_text import json_text
from bongsu.views.rates import NO_RATES, Rates


def process_json(before: Batch, after: Batch) -> str:
    """One JSON object: ``format``, ``time`` (Unix s), ``window_seconds`` and ``processes``.

    A process has the keys ``pid``, ``ppid``, ``user``, ``uid``, ``executable``, ``state``, ``start_time`` (Unix s),
    ``threads``, ``cores`` (CPU seconds per second), ``cpu_seconds``, ``resident_bytes``, ``virtual_bytes``,
    ``read_bytes_per_second``, ``written_bytes_per_second``, ``kernel``, ``arguments`` and
    ``owner``, with ``kind``, ``id`` and ``name``; null is not known.

    Raises:
        NotKnown: processes could not be read.
    """
    rates = Rates()
    rates.take(before)
    rates.take(after)
    table = after.table("processes")
    if table is None:
        outcome = next((o for o in after.outcomes if o.collector == "process"), None)
        reason = None if outcome is None else outcome.error or outcome.no_data
        raise NotKnown(
            Message("processes could not be read: {reason}", reason=reason or "the collector process is off")
        )
    known = rates.processes()
    processes = []
    rows = [(known.get(row.identity, NO_RATES), row) for row in table.rows if isinstance(row, ProcessRow)]
    for rate, row in sorted(rows, key=lambda pair: -(pair[0].cores or 0.0)):
        processes.append(
                {
                    "pid": row.pid, "ppid": row.ppid, "user": row.user, "uid": row.uid, "executable": row.executable,
                    "state": row.state, "start_time": row.start_time, "threads": row.threads, "cores": rate.cores,
                    "cpu_seconds": row.cpu_seconds, "resident_bytes": row.resident_bytes,
                    "virtual_bytes": row.virtual_bytes, "read_bytes_per_second": rate.read_bytes,
                    "written_bytes_per_second": rate.write_bytes, "kernel": row.kernel, "arguments": row.arguments,
                    "owner": None if row.owner is None else
                             {"kind": row.owner.kind, "id": row.owner.id, "name": row.owner.name},
                }
            )  # fmt: skip
    window = after.monotonic - before.monotonic
    return json_text({"format": 1, "time": after.time, "window_seconds": window, "processes": processes})
