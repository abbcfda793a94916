"""GPUs by owner: sums over processes, what was given and is empty, energy and power; what nobody told stays unknown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from bongsu.collectors import gpu_allocation, gpu_process, gpu_workload
from bongsu.collectors.gpu_process import GpuProcessCollector
from bongsu.model.batch import Batch, Outcome, Part, Sample, Table
from bongsu.model.gpu import GpuProcessRow
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import OwnerRow, Usage
from bongsu.sources.nvml.demo import SHIPPED, DemoReader
from bongsu.sources.nvml.scenario_file import load
from bongsu.sources.root import Machine
from bongsu.store.recent import Recent
from bongsu.views.gpu_power import GpuPower
from bongsu.views.process_json import process_json
from bongsu.views.web.gpu_owners import COLUMNS, gpu_owners
from bongsu.views.web.live import Live
from readings import part

JOB = Owner(OwnerKind.SLURM, "42", "train", user="alice")
POD = Owner(OwnerKind.POD, "0b9e", "chat-0", "ml", user="10001")


def row(owner: Owner, pid: int, gpu: str = "0", **figures: Any) -> GpuProcessRow:
    """A process, with all figures unless others are given."""
    known: dict[str, Any] = {"memory_bytes": 100, "sm_ratio": 0.5, "start_time": 50.0, "user": owner.user} | figures
    return GpuProcessRow(pid=pid, start_ticks=pid, owner=owner, command="python3", gpu=gpu, uuid=f"GPU-{gpu}", **known)


def given(gpu: str, kind: str, identity: str, name: str = "", namespace: str = "") -> Sample:
    """A GPU that somebody was given."""
    return Sample(gpu_allocation.ALLOCATION, (gpu, f"GPU-{gpu}", kind, identity, name, namespace, "", "", "told"), 1.0)


def energy(owner: Owner, method: str, joules: float) -> Sample:
    """What went to an owner until now."""
    labels = (owner.kind.value, owner.id, owner.name, owner.namespace, owner.user, method)
    return Sample(gpu_workload.ENERGY, labels, joules)


def devices(*gpus: str) -> tuple[Sample, ...]:
    """GPUs that count energy."""
    return tuple(Sample(gpu_process.UNATTRIBUTED_ENERGY, (gpu, f"GPU-{gpu}", "idle"), 0.0) for gpu in gpus)


def counts(*gpus: str, total: bool = True) -> tuple[Sample, ...]:
    """GPUs whose processes could be listed, and whether that is all of them."""
    listed = [Sample(gpu_process.COUNT, (gpu, f"GPU-{gpu}"), 0) for gpu in gpus]
    return (*listed, Sample(gpu_process.TOTAL, (), 0)) if total else tuple(listed)


def look(rows: Sequence[GpuProcessRow], *samples: Sample, at: float = 100.0, others: Sequence[OwnerRow] = ()) -> Batch:
    """One batch at a time (s)."""
    parts = [
        Part(name, at, at, tuple(of), (), (Table(table, tuple(lines)),), Outcome(name, 0.0, 0.0))
        for name, table, lines, of in (
            ("gpu_process", "gpu_processes", rows, samples),
            ("owner", "owners", others, ()),
        )
    ]
    return Batch(at, at, tuple(parts))


def told(*batches: Batch) -> list[dict[str, Any]]:
    """What is told of the last of them, as the page reads it."""
    power = GpuPower()
    for batch in batches:
        power.take(batch)
    table = json.loads(msgspec.json.encode(gpu_owners(batches[-1], power)))
    assert table["total"] >= len(table["rows"])
    return [dict(zip(COLUMNS, line, strict=True)) for line in table["rows"]]


def test_an_owner_is_the_sum_of_its_processes() -> None:
    """A process on two GPUs counts once, its memory and SMs on both; the age is the oldest one's; most memory stands first."""
    rows = [
        row(JOB, 1, "10"),
        row(JOB, 1, "2", memory_bytes=50, sm_ratio=1.0),
        row(JOB, 2, "2", start_time=40.0),
        row(POD, 3),
    ]
    first, second = told(look(rows, *counts("0", "2", "10")))
    assert (first["key"], first["name"], first["users"]) == ("slurm/42", "job 42 train (alice)", ["alice"])
    assert (first["processes"], first["gpus"], first["memory"], first["sm"]) == (2, ["2", "10"], 250, 2.0)
    assert (first["start"], first["empty"], first["energy"], first["power"]) == (40.0, None, None, None)
    assert (second["key"], second["name"]) == ("pod/0b9e", "pod ml/chat-0")


def test_what_one_process_does_not_tell_is_not_known_of_all() -> None:
    """A sum that leaves some out would be too small, and nobody would know."""
    [line] = told(look([row(JOB, 1), row(JOB, 2, "1_7_0", memory_bytes=None, sm_ratio=None, start_time=None)]))
    assert (line["memory"], line["sm"], line["start"], line["gpus"]) == (None, None, 50.0, ["0", "1_7_0"])


def test_a_gpu_that_was_given_and_has_no_process_is_told() -> None:
    """Beside those in use; an instance in use is its divided GPU in use; who has no process at all has a line too."""
    samples = (*counts("0", "1", "2", "3_1_0"), given("0", "slurm", "42"), given("1", "slurm", "42"))
    more = (given("2", "slurm", "43", "idle"), given("3", "pod", "0b9e", "chat-0", "ml"))
    lines = {line["key"]: line for line in told(look([row(JOB, 1), row(POD, 2, "3_1_0")], *samples, *more))}
    assert (lines["slurm/42"]["gpus"], lines["slurm/42"]["empty"]) == (["0", "1"], ["1"])
    assert (lines["pod/0b9e"]["gpus"], lines["pod/0b9e"]["empty"]) == (["3_1_0"], [])
    idle = lines["slurm/43"]
    assert (idle["name"], idle["processes"], idle["memory"], idle["sm"], idle["empty"]) == (
        "job 43 idle",
        0,
        0,
        0,
        ["2"],
    )
    assert (idle["start"], idle["power"], idle["energy"]) == (None, 0, None)


def test_a_gpu_whose_processes_are_not_listed_is_not_called_empty() -> None:
    """A lost GPU may have a process of its owner: then neither that nor a 0 is said."""
    lost = told(look([], *counts("0", total=False), given("1", "slurm", "42")))
    [line] = lost
    assert (line["gpus"], line["empty"], line["processes"], line["memory"], line["sm"]) == (
        ["1"],
        None,
        None,
        None,
        None,
    )


def test_a_pod_that_the_kubelet_told_by_its_name_is_the_pod_of_the_processes() -> None:
    """The kubelet does not tell the UID, which the page needs: it is known from its processes, on a GPU or not; else no page."""
    samples = (*counts("0", "1"), given("0", "pod", "", "chat-0", "ml"), given("1", "pod", "", "gone", "ml"))
    on, gone = told(look([row(POD, 1)], *samples))
    assert (on["key"], on["empty"]) == ("pod/0b9e", [])
    assert (gone["key"], gone["name"], gone["empty"]) == (None, "pod ml/gone", ["1"])
    seen = OwnerRow(owner=POD, usage=Usage(processes=1, since=1.0))
    assert [line["key"] for line in told(look([], *samples, others=[seen]))] == ["pod/0b9e", None]


def test_power_is_the_energy_of_some_seconds() -> None:
    """Both methods together; not known from one look, where an owner is new, or where nobody can tell its share."""
    on = [row(JOB, 1), row(POD, 2, "1_1_0", sm_ratio=None)]

    def at(second: float, sole: float, shared: float) -> Batch:
        mine = (
            energy(JOB, "sole", sole),
            energy(JOB, "sm_share", shared),
            energy(POD, "sole", 70.0),
            *devices("0", "1"),
        )
        return look(on, *counts("0", "1_1_0"), *mine, at=100 + second)

    assert [line["power"] for line in told(at(0, 0, 0))] == [None, None]
    job, pod = told(at(0, 100, 0), at(2, 500, 200), at(4, 900, 400))
    assert job["power"] == pytest.approx(300)
    assert job["energy"] == {"sole": 900, "sm_share": 400}
    assert pod["power"] is None
    later = [at(second, 100 * second, 0) for second in range(0, 12, 2)] + [at(12, 5000, 0)]
    assert told(*later)[0]["power"] == pytest.approx((5000 - 600) / 6, rel=1e-3)
    assert told(at(0, 900, 0), at(2, 0, 0))[0]["power"] is None  # counted anew


def test_the_same_look_again_is_no_pause_and_a_hanging_driver_no_power() -> None:
    """The driver counts less often than we may look: no gain in half a second is none; without energy nothing is known."""
    on = [row(JOB, 1)]

    def at(second: float, joules: float) -> Batch:
        return look(on, *counts("0"), energy(JOB, "sole", joules), *devices("0"), at=100 + second)

    assert told(at(0, 0), at(2, 600), at(2.5, 600))[0]["power"] == 300
    assert told(at(0, 0), at(2, 600), at(9, 600))[0]["power"] == 0
    [hanging] = told(at(0, 0), at(2, 600), look(on, at=104))
    assert (hanging["power"], hanging["energy"]) == (None, None)


def test_power_of_a_device_that_counts_no_energy_or_of_owners_beyond_the_budget_is_not_known() -> None:
    """A part of the GPUs of an owner is not its power, and who has no series may be in the rest."""
    on = [row(JOB, 1), row(JOB, 2, "1"), row(POD, 3)]
    folded = Sample(gpu_workload.FOLDED, (), 1.0)
    for where, beside, pod in ((("0", "1"), (), 0), (("0",), (), 0), (("0", "1"), (folded,), None)):
        looks = [
            look(on, *counts("0", "1"), energy(JOB, "sole", at * 3), *devices(*where), *beside, at=at)
            for at in (1.0, 3.0)
        ]
        lines = {line["key"]: line for line in told(*looks)}
        assert lines["slurm/42"]["power"] == (3 if "1" in where else None)
        assert (lines["pod/0b9e"]["power"], lines["pod/0b9e"]["energy"]) == (pod, {} if pod == 0 else None)


def test_top_and_the_page_say_the_same() -> None:
    """One demonstration, read at two moments: each figure of each owner is the same in `top --json` and /api/gpus."""
    now = [100.0]
    collector = GpuProcessCollector(Machine.at(), DemoReader(load(SHIPPED), clock=lambda: now[0]))
    page, batches = Live(Recent(()), ()), []
    for now[0] in (200.0, 202.0):
        items = list(collector.collect())
        [rows] = [item.rows for item in items if isinstance(item, Table)]
        on = [one for one in rows if isinstance(one, GpuProcessRow)]
        seen = look(on, *(item for item in items if isinstance(item, Sample)), at=now[0])
        batches.append(Batch(now[0], now[0], (*seen.parts, part({}, now[0], tables=(Table("processes", ()),)))))
        page.write(batches[-1])
    table = json.loads(msgspec.json.encode(page.gpus()))["owners"]
    lines = [dict(zip(COLUMNS, line, strict=True)) for line in table["rows"]]
    top = json.loads(process_json(batches[0], batches[1]))["gpu_owners"]
    assert len(top) == len(lines) > 5
    for line in top:
        [paired] = [one for one in lines if line["owner"]["id"] in one["within"].split()]
        assert {*line["gpus"], *(line["gpus_empty"] or ())} == set(paired["gpus"])
        assert (line["processes"], line["gpus_empty"]) == (paired["processes"], paired["empty"])
        assert (line["memory_bytes"], line["oldest_process_start_time"]) == (paired["memory"], paired["start"])
        energy_of = line["energy_joules"] and {
            method: round(joules, 1) for method, joules in line["energy_joules"].items()
        }
        assert [brief(line["sm_ratio"]), brief(line["power_watts"]), energy_of] == [
            paired["sm"], paired["power"], paired["energy"],
        ]  # fmt: skip
    for name in ("power_watts", "energy_joules", "sm_ratio"):
        assert any(line[name] for line in top), name
        assert any(line[name] is None for line in top), name


def brief(value: float | None) -> float | None:
    """With as many digits as the page is sent."""
    return None if value is None else float(f"{value:.4g}")


def test_the_demonstration_has_an_owner_of_each_kind() -> None:
    """Those of the shipped scenario, with the job's four GPUs, and energy by its method; the same in two looks."""
    machine, reader = Machine.at(), DemoReader(load(SHIPPED))
    items = list(GpuProcessCollector(machine, reader).collect())
    [rows] = [item.rows for item in items if isinstance(item, Table)]
    lines = told(
        look([one for one in rows if isinstance(one, GpuProcessRow)], *(i for i in items if isinstance(i, Sample)))
    )
    [job] = [line for line in lines if line["key"] == "slurm/48213"]
    assert (job["users"], job["processes"], job["gpus"], job["empty"]) == (["ada"], 28, ["0", "1", "2", "3"], [])
    assert (
        sum(line["processes"] for line in lines)
        == len({one.pid for one in rows if isinstance(one, GpuProcessRow)})
        > 50
    )
    assert any(line["sm"] is None and line["memory"] for line in lines)  # on instances
    [held] = [line for line in lines if line["key"] == "slurm/48391"]
    assert (held["processes"], held["gpus"], held["empty"], held["memory"]) == (0, ["6"], ["6"], 0)


def test_none_and_a_thousand_and_names_that_are_nasty() -> None:
    """No owner is an empty table, no reading says so; a thousand have a line each; names cannot steer what shows them."""
    assert gpu_owners(None, GpuPower()) == {
        "columns": COLUMNS,
        "rows": [],
        "total": 0,
        "time": None,
        "unattributed": {},
    }
    assert gpu_owners(look([]), GpuPower())["time"] == 100.0
    many = [row(Owner(OwnerKind.CONTAINER, f"{n:064x}"), n + 1, str(n % 8)) for n in range(1000)]
    lines = told(look(many))
    assert len({line["key"] for line in lines}) == len(lines) == 1000
    [nasty] = told(look([row(Owner(OwnerKind.SLURM, "1\x1b[2J", "<b>\udcff", user="\x07"), 1)]))
    assert "\x1b" not in json.dumps(nasty, ensure_ascii=False)
    assert nasty["key"].isprintable()
