"""Processes as one JSON document."""

from __future__ import annotations

import json

import pytest

from bongsu.model.batch import Batch, Table
from bongsu.model.errors import NotKnown
from bongsu.model.owner import Owner, OwnerKind
from bongsu.views.process_json import process_json
from bongsu.views.processes import Order
from live_page import process
from owned import JOB, MIB, look
from readings import batch, part


def test_each_process_names_its_owner() -> None:
    """Kind, id and name; null where nobody was asked."""
    job = Owner(OwnerKind.SLURM, "42", "train\udcff", user="alice")
    rows = (process(1, "a", owner=job), process(2, "b"))
    one = batch(1, part({}, 1, collector="process", tables=(Table("processes", rows),)))
    found = {p["pid"]: p["owner"] for p in json.loads(process_json(one, one))["processes"]}
    assert found == {
        1: {
            "kind": "slurm",
            "id": "42",
            "name": "train\ufffd",
            "namespace": "",
            "container": "",
            "step": "",
            "user": "alice",
        },
        2: None,
    }


def test_owners_have_their_use_under_keys_with_units() -> None:
    """All owners that have a process, by CPU, with what they use and may use; what is not known is null."""
    document = json.loads(process_json(look(1), look(3)))
    assert list(document) == [
        "format", "time", "window_seconds", "processes", "owners", "gpus", "gpu_processes", "gpu_owners",
        "cuda_visible_devices", "demo",
    ]  # fmt: skip
    assert (document["gpus"], document["gpu_processes"], document["demo"]) == ([], None, False)
    assert (document["gpu_owners"], document["cuda_visible_devices"]) == (None, None)
    assert len(document["owners"]) == 8
    job = document["owners"][0]
    assert (job["kind"], job["id"], job["name"], job["cores"]) == ("slurm", "42", "train", 2.0)
    assert (job["cpu_limit_cores"], job["cpu_throttled_ratio"], job["cpu_from"]) == (2.0, 0.5, "cgroup")
    assert (job["memory_limit_bytes"], job["read_bytes_per_second"]) == (1000 * MIB, MIB)
    assert document["owners"][1]["memory_limit_bytes"] is None
    assert json.loads(process_json(look(1, with_owners=False), look(3, with_owners=False)))["owners"] is None


def test_a_filter_holds_for_json_too() -> None:
    """Only the processes that were asked for, and the owners that have one of them."""
    document = json.loads(process_json(look(1), look(3), Order(words="job 42")))
    assert [p["pid"] for p in document["processes"]] == [10, 11]
    assert [owner["id"] for owner in document["owners"]] == [JOB.id]
    assert {owner["user"] for owner in json.loads(process_json(look(1), look(3), Order(uid=61001)))["owners"]} == {
        "bob"
    }


def test_without_processes_there_is_a_reason() -> None:
    """No empty list where nothing could be read."""
    with pytest.raises(NotKnown, match="the collector process is off"):
        process_json(Batch(1.0, 1.0, ()), Batch(2.0, 2.0, ()))
