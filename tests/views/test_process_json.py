"""Processes as one JSON document."""

from __future__ import annotations

import json

from bongsu.model.batch import Table
from bongsu.model.owner import Owner, OwnerKind
from bongsu.views.process_json import process_json
from live_page import process
from readings import batch, part


def test_each_process_names_its_owner() -> None:
    """Kind, id and name; null where nobody was asked."""
    job = Owner(OwnerKind.SLURM, "42", "train\udcff", user="alice")
    rows = (process(1, "a", owner=job), process(2, "b"))
    one = batch(1, part({}, 1, collector="process", tables=(Table("processes", rows),)))
    found = {p["pid"]: p["owner"] for p in json.loads(process_json(one, one))["processes"]}
    assert found == {1: {"kind": "slurm", "id": "42", "name": "train\ufffd"}, 2: None}
