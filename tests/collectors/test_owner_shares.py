"""Which owners get series of their own."""

from __future__ import annotations

from typing import Any

from bongsu.collectors.owner_shares import Shares
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import DeviceUse, OwnerRow, Usage


def row(name: str, cpu: float = 0.0, memory: int = 0, *, ended: bool = False, **other: Any) -> OwnerRow:
    usage = Usage(
        0 if ended else 1, 0.0, cpu_seconds=cpu, cpu_user_seconds=cpu, cpu_system_seconds=0.0, memory_bytes=memory,
        **other,
    )  # fmt: skip
    return OwnerRow(Owner(OwnerKind.SLURM, name), usage, ended)


def names(rows: list[OwnerRow]) -> set[str]:
    return {one.owner.id for one in rows}


def test_the_biggest_are_shown_and_the_rest_is_counted() -> None:
    """Within the budget all, beyond it those that use most; the others are summed."""
    shares = Shares(2)
    shown = shares.choose([row("a", memory=100), row("b", memory=300), row("c", memory=200), row("d", memory=1)])
    assert names(shown) == {"b", "c"}
    rest = shares.rest
    assert (rest.owners, rest.processes, rest.memory_bytes, rest.cpu) == (2, 2, 101, [0.0, 0.0])


def test_two_alike_do_not_take_turns() -> None:
    """An owner keeps its place while another uses a little more."""
    shares = Shares(1)
    shares.choose([row("a", memory=100), row("b", memory=99)])
    for turn in range(20):
        rows = [row("a", memory=100 + turn % 2), row("b", memory=100 + (turn + 1) % 2 * 30)]
        assert names(shares.choose(rows)) == {"a"}


def test_who_uses_clearly_more_for_a_while_takes_the_place() -> None:
    """A busy owner is not kept out for ever by an idle one."""
    shares = Shares(1)
    shares.choose([row("idle", memory=100), row("busy", memory=10)])
    passes = next(
        n
        for n in range(1, 50)
        if names(shares.choose([row("idle", memory=100), row("busy", cpu=n * 9.0, memory=90)])) == {"busy"}
    )
    assert passes > 1


def test_the_rest_never_falls_and_counts_what_was_used_while_folded() -> None:
    """Only gains of the folded go in, the whole of one that came later, and an ended one's last."""
    shares = Shares(1)
    use: dict[str, Any] = {"oom_kills": 1, "io": (DeviceUse("sda", 10, 20),)}
    shares.choose([row("big", memory=1000), row("a", cpu=50.0, memory=1, **use)])
    assert (shares.rest.cpu, shares.rest.oom_kills) == ([0.0, 0.0], 0)
    use = {"oom_kills": 3, "io": (DeviceUse("sda", 11, 22),)}
    shares.choose([row("big", cpu=1.0, memory=1000), row("a", cpu=51.0, memory=1, **use), row("new", cpu=0.5)])
    rest = shares.rest
    assert (rest.cpu[0], rest.oom_kills, rest.read_bytes, rest.written_bytes) == (1.5, 2, 1, 2)
    shares.choose([row("big", cpu=1.0, memory=1000), row("a", cpu=52.0, ended=True, **use)])
    assert (rest.cpu[0], rest.owners, shares.dropped) == (2.5, 0, 1)
    shares.choose([row("big", cpu=9.0, memory=1000)])
    assert rest.cpu[0] == 2.5


def test_an_ended_owner_is_shown_once_more_and_leaves_its_place() -> None:
    """Its last values are seen; then another may have the place, and nothing of it is kept."""
    shares = Shares(1)
    shares.choose([row("a", memory=100), row("b", memory=1)])
    assert names(shares.choose([row("a", memory=0, ended=True), row("b", memory=1)])) == {"a"}
    assert names(shares.choose([row("b", memory=1)])) == {"b"}
    assert shares.dropped == 0
    assert not {key for kept in (shares._scores, shares._counted, shares._ever_shown) for key in kept if key[1] == "a"}


def test_who_is_followed_is_shown() -> None:
    """A recorder's own run has its series, however little it uses."""
    shares = Shares(1)
    rows = [row("a", memory=1000), row("run", memory=1)]
    assert names(shares.choose(rows)) == {"a"}
    assert names(shares.choose(rows, {rows[1].owner.key})) == {"run"}
    assert names(shares.choose(rows, {rows[1].owner.key})) == {"run"}


def test_no_budget_folds_all() -> None:
    """With 0 there is only the rest."""
    shares = Shares(0)
    assert shares.choose([row("a", memory=5)]) == []
    assert shares.rest.owners == 1
