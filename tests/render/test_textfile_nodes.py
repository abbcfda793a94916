"""The queries of docs/kubernetes.md that find nodes without a file of ours, on what real node_exporters serve."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import numpy as np

import node_exporter as ne
from bongsu.store.series import Series
from cli.command import bongsu
from prometheus import Prometheus

PAGE = Path(__file__).parents[2] / "docs" / "kubernetes.md"


def _scraped(directory: Path, instance: str, at: int) -> list[Series]:
    """What a Prometheus has of one node."""
    exposed = ne.scrape(["textfile", "uname"], [f"--collector.textfile.directory={directory}"])
    times = np.array([at], np.int64)
    return [
        Series(
            tuple(sorted((*labels, ("__name__", name), ("instance", instance)))), times, np.array([value], np.float64)
        )
        for (name, labels), value in exposed.values.items()
    ]


def test_a_node_without_a_file_or_with_an_old_one_is_found(tmp_path: Path) -> None:
    """Of three nodes the one that joined later has no file, another's is an hour old, and the third is well."""
    absent, old = re.findall(r"^  ((?:node_uname_info|time\(\)).*)$", PAGE.read_text(), re.MULTILINE)
    at = int(time.time() * 1000)
    found: list[Series] = []
    for node in ("well", "old", "joined-later"):
        (tmp_path / node).mkdir()
        if node != "joined-later":
            file = tmp_path / node / "bongsu.prom"
            assert bongsu("collect", "--once", "--textfile", str(file), "loadavg").returncode == 0
            if node == "old":
                os.utime(file, (at / 1000 - 3600, at / 1000 - 3600))
        found += _scraped(tmp_path / node, node, at)
    loads = [series for series in found if ("__name__", "node_load1") in series.labels]
    assert len(loads) == 2, "node_exporter serves what the files hold"
    with Prometheus() as server:
        server.write(found)
        for query, wanted in ((absent, "joined-later"), (old, "old")):
            answer = server.query(query, at)
            assert [one["metric"]["instance"] for one in answer.body["data"]["result"]] == [wanted], (query, answer)
