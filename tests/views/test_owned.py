"""Owners in few words, and what they do per second."""

from __future__ import annotations

import pytest

from bongsu.model.batch import Batch, Table
from bongsu.model.owner import Owner, OwnerKind
from bongsu.model.usage import DeviceUse, OwnerRow, Usage, Waits
from bongsu.views.owned import called, short
from bongsu.views.owner_rates import NO_OWNER_RATES, OwnerRates
from bongsu.views.rates import Rates
from readings import part

JOB = Owner(OwnerKind.SLURM, "42", "train", user="alice")


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        (JOB, "job 42 train (alice)"),
        (Owner(OwnerKind.SLURM, "42"), "job 42"),
        (Owner(OwnerKind.POD, "0f-1", "trainer-0", "ml"), "pod ml/trainer-0"),
        (Owner(OwnerKind.POD, "0f-1"), "pod 0f-1"),
        (Owner(OwnerKind.CONTAINER, "a" * 64, "web", runtime="docker"), "container web (docker)"),
        (Owner(OwnerKind.CONTAINER, "a" * 64), f"container {'a' * 12}"),
        (Owner(OwnerKind.CONTAINER, "win", "win", runtime="vm"), "machine win"),
        (Owner(OwnerKind.UNIT, "ollama.service"), "unit ollama.service"),
        (Owner(OwnerKind.USER, "1000", "alice"), "user alice"),
        (Owner(OwnerKind.USER, "1000"), "user 1000"),
        (Owner(OwnerKind.UNKNOWN, "", "kernel"), "the kernel"),
        (Owner(OwnerKind.UNKNOWN, ""), "unknown"),
        (Owner(OwnerKind.UNIT, "a\x1b[31m\n\u202e.service"), "unit a\\x1b[31m\\n\\u202e.service"),
    ],
)
def test_an_owner_has_a_short_name(owner: Owner, said: str) -> None:
    """Kind and what people call it; nothing of a name steers a terminal or turns a line round."""
    assert short(owner) == said


def look(seconds: float, *rows: OwnerRow) -> Batch:
    """One look at owners."""
    return Batch(1000 + seconds, seconds, (part({}, seconds, collector="owner", tables=(Table("owners", rows),)),))


def usage(**other: object) -> Usage:
    """A usage; what is not given is not known."""
    return Usage(**{"processes": 1, "since": 10.0, **other})  # type: ignore[arg-type]  # named as its fields are


def test_rates_of_owners() -> None:
    """What counters gained, per second; throttling is of the periods of the time; a kill is a number, no rate."""
    rates = Rates()
    rates.take(look(10, OwnerRow(JOB, usage(
        cpu_seconds=5.0, cpu_periods=100, cpu_throttled_periods=10, oom_kills=1, io=(DeviceUse("sda", 10, 0),),
        io_waits=Waits(1.0)))))  # fmt: skip
    assert rates.owners() == {}
    rates.take(look(12, OwnerRow(JOB, usage(
        cpu_seconds=8.0, cpu_periods=120, cpu_throttled_periods=15, oom_kills=3,
        io=(DeviceUse("sda", 20, 0), DeviceUse("sdb", 0, 8)), io_waits=Waits(2.0)))))  # fmt: skip
    assert rates.owners() == {JOB.key: OwnerRates(1.5, 0.25, 5.0, 4.0, None, None, 0.5, 2)}


def test_an_owner_that_is_new_or_fell_back() -> None:
    """What began since the look before did all since; one older than that, or whose counters fell, has no rates."""
    old, new = Owner(OwnerKind.UNIT, "old"), Owner(OwnerKind.UNIT, "new")
    rates = Rates()
    rates.take(look(10, OwnerRow(JOB, usage(cpu_seconds=5.0))))
    later = look(12, OwnerRow(JOB, usage(cpu_seconds=1.0)), OwnerRow(old, usage(cpu_seconds=9.0)),
                 OwnerRow(new, usage(cpu_seconds=1.0, since=1e9)))  # fmt: skip
    rates.take(later)
    assert rates.owners() == {JOB.key: NO_OWNER_RATES, new.key: NO_OWNER_RATES._replace(cores=0.5)}


def test_only_a_containers_number_is_cut() -> None:
    """An id that is a name (LXC's, nspawn's) is whole in a column too: cut, two of them could be one."""
    number, name = Owner(OwnerKind.CONTAINER, "4f" * 32, runtime="docker"), "training-of-this-week"
    assert called(number) == f"docker {'4f' * 6}"
    assert called(Owner(OwnerKind.CONTAINER, name, runtime="lxc")) == f"lxc {name}"
