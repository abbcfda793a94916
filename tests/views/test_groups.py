"""The table of groups, and what `bongsu top` lists."""

from __future__ import annotations

import unicodedata

import pytest

import owned
from bongsu.model.owner import Owner
from bongsu.views import groups, processes
from bongsu.views.groups import By
from bongsu.views.listing import Listing
from bongsu.views.owned import called, searched
from bongsu.views.processes import Order
from bongsu.views.ruled import Sort
from owned import ALICE, EVIL, JOB, KERNEL, KIND, MIB, OLLAMA, POD, WEB, look


def listing(by: By = By.NONE, order: Order | None = None, *, with_owners: bool = True) -> Listing:
    """A listing that has seen two moments, 2 s apart."""
    made = Listing(order or Order(), by)
    made.take(look(1, with_owners=with_owners))
    made.take(look(3, with_owners=with_owners))
    return made


def shown(made: Listing) -> list[object]:
    """What the lines stand for."""
    return [made.identity(place) for place in range(len(made))]


def found(words: str) -> list[int]:
    """The pids that a filter finds."""
    return sorted(e.row.pid for e in processes.arrange(owned.rows(), {}, Order(words=words)))


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (JOB, "job 42"), (POD, "pod ml/trainer-0"), (KIND, f"pod 0f-1 in docker {'d' * 12}"), (WEB, "docker web"),
        (OLLAMA, "ollama.service"), (ALICE, "alice"), (KERNEL, "kernel"),
    ],
)  # fmt: skip
def test_an_owner_has_few_words(owner: Owner, words: str) -> None:
    """What it is and what people call it, and in which container where its id is only true there."""
    assert called(owner) == words


@pytest.mark.parametrize(
    ("words", "pids"),
    [
        ("job 42", [10, 11]), ("TRAIN", [10, 11, 20, 21]), ("ml/trainer-0", [20, 21]), ("ml main python", [21]),
        ("docker web", [40, 41]), ("c" * 64, [40, 41]), ("ollama.service", [50, 51]), ("session-3", [60, 61]),
        ("slurm", [10, 11]), ("containerd", [20, 21]), ("prog5", [50]),
    ],
)  # fmt: skip
def test_a_process_is_found_by_its_owner(words: str, pids: list[int]) -> None:
    """Job id and name, namespace, pod, container, unit, kind and runtime are searched, in any case."""
    assert found(words) == pids


def test_only_one_users_processes() -> None:
    """By user id, by name or by number; with a filter both must hold."""
    rows = owned.rows()
    by_uid = processes.arrange(rows, {}, Order(uid=61000))
    assert {e.row.user for e in by_uid} == {"alice"}
    assert len(by_uid) == 4
    for user in ("bob", "61001"):
        assert [e.row.pid for e in processes.arrange(rows, {}, Order(Sort.PID, user=user))] == [20, 21, 30, 31]
    assert [e.row.pid for e in processes.arrange(rows, {}, Order(user="bob", words="python ml"))] == [21]
    assert processes.arrange(rows, {}, Order(user="bo")) == []


def test_owners_stand_with_their_use_and_limits() -> None:
    """By CPU; numbers are the cgroup's own where it has one; one that has ended is not there."""
    made = listing(By.OWNER)
    assert shown(made) == [owner.key for owner in (JOB, KERNEL, EVIL, ALICE, OLLAMA, WEB, KIND, POD)]
    line = made.lines(0, 1, 160, 1)[0].plain.rstrip()
    assert line.split() == [
        "2", "alice", "200.0", "200", "50", "950M", "1000M", "████████", "1M", "0", "95", "100", "by", "cgroup", "slurm",
        "job", "42", "train",
    ]  # fmt: skip
    assert "summed" in made.lines(1, 1, 160, 0)[0].plain


def test_without_the_collector_owners_are_summed() -> None:
    """Where owners were not read their processes are added up, and the line says so."""
    made = listing(By.OWNER, with_owners=False)
    assert shown(made)[0] == KERNEL.key
    line = next(text.plain for text in made.lines(0, 9, 160, 9) if "job 42" in text.plain)
    assert line.split() == ["2", "alice", "10.0", "2M", "0", "-", "4", "summed", "slurm", "job", "42"]


def test_groups_by_user_and_command() -> None:
    """Sums over processes; threads of the kernel are one command; a command of several users says how many."""
    users = {row.key: row for row in groups.arrange(owned.rows(), {}, By.USER, Order(), None)}
    assert users["alice",].memory_bytes == 14 * MIB
    assert users["alice",].processes == 4
    assert users["alice",].cores is None, "no rate yet: not zero"
    commands = {row.key: row for row in groups.arrange(owned.rows(), {}, By.COMMAND, Order(), None)}
    assert commands["python",].user == "5 users"
    assert commands["python",].processes == 7
    assert (commands["", "kernel"].name, commands["", "kernel"].processes) == ("[kernel]", 2)


@pytest.mark.parametrize(
    ("order", "first"),
    [
        (Order(Sort.CPU), JOB), (Order(Sort.MEMORY), JOB), (Order(Sort.MEMORY, turned=True), POD), (Order(Sort.IO), JOB),
        (Order(Sort.THREADS), JOB), (Order(Sort.USER), KERNEL), (Order(words="ollama"), OLLAMA),
        (Order(words="prog3"), KIND), (Order(user="bob"), KIND), (Order(uid=61002), OLLAMA),
    ],
)  # fmt: skip
def test_groups_are_sorted_and_filtered(order: Order, first: Owner) -> None:
    """Each key has its usual direction; an owner is shown where its name or one of its processes is found."""
    assert shown(listing(By.OWNER, order))[0] == first.key


def test_a_filter_that_finds_nothing_leaves_nothing() -> None:
    """No owner is shown that nobody asked for."""
    assert shown(listing(By.OWNER, Order(words="nothing of this"))) == []


def test_enter_opens_and_escape_goes_back_step_by_step() -> None:
    """A group's processes; then out of the filter, out of the group with the filter that was there, to all processes."""
    made = listing(By.OWNER, Order(words="job"))
    needed = [made.needs_owners]
    made.open(0)
    assert shown(made) == [(10, 10), (11, 11)]
    assert [*needed, made.needs_owners] == [True, False]
    made.change(Order(words="python"))
    assert shown(made) == [(11, 11)]
    made.back()
    assert shown(made) == [(10, 10), (11, 11)]
    made.back()
    assert shown(made) == [JOB.key]
    assert made.order.words == "job"
    made.back()
    assert len(made) == len(owned.OWNERS)
    made.back()
    assert made.by is By.NONE
    assert len(made) == 16
    made.back()
    assert len(made) == 16


def test_a_line_keeps_to_what_it_stands_for() -> None:
    """A chosen line is found again where others moved; one that has gone leaves the first."""
    made = listing(By.OWNER)
    assert made.place(WEB.key) == shown(made).index(WEB.key)
    assert made.place(("slurm", "41", "")) == 0
    assert made.process(0) is None
    made.group(By.NONE)
    place = shown(made).index((41, 41))
    assert made.place((41, 41)) == place
    assert getattr(made.process(place), "pid", None) == 41


@pytest.mark.parametrize("width", [20, 40, 54, 72, 80, 100, 132, 250])
@pytest.mark.parametrize("by", list(By))
def test_lines_fit_and_are_safe(width: int, by: By) -> None:
    """Each line has the terminal's width, its titles above it, and nothing that could steer the terminal."""
    made = listing(by)
    heading = made.heading(width).plain
    assert len(heading) == width
    for text in made.lines(0, len(made), width, 0):
        assert text.cell_len == width
        assert not [c for c in text.plain if unicodedata.category(c) in {"Cc", "Cs"} or c in "\u202e\u2028"]
        assert not [span for span in text.spans if str(span.style) == "red"]
    for plain in made.plain(None):
        assert not [c for c in plain if unicodedata.category(c) in {"Cc", "Cs"}]


def test_columns_give_way_in_order() -> None:
    """The narrower, the less: kind, tasks, how it is known, throttling, the bar; CPU and memory stay."""
    titles = {
        width: set(groups.heading(width, By.OWNER, Order()).plain.split()) for width in (160, 110, 95, 80, 50, 26)
    }
    assert titles[160] - titles[110] == {"KIND", "TASKS"}
    assert titles[110] - titles[95] == {"KNOWN"}
    assert titles[95] - titles[80] == {"THR"}
    assert titles[80] - titles[50] == {"USER", "READ/s", "WRIT/s"}
    assert titles[26] == {"CPU", "%", "MEM", "OWNER"}
    assert "OWNER" in processes.heading(80, Order()).plain
    assert "USER" in processes.heading(60, Order()).plain


def test_the_bar_is_ascii_where_only_that_shows() -> None:
    """Full at the limit, never longer than its column."""
    made = Listing(Order(), By.OWNER, ascii_only=True)
    made.take(look(1))
    assert "########" in made.lines(made.place(JOB.key), 1, 160, 9)[0].plain
    assert all(text.plain.isascii() for text in made.lines(0, 8, 160, 9))


def test_a_hostile_owner_is_searched_but_never_shown_raw() -> None:
    """What is kept to be searched holds the name as it is; what is drawn does not."""
    assert "owned" in searched(EVIL)
    made = listing(By.OWNER, Order(words="owned"))
    assert shown(made) == [EVIL.key]
    assert r"\x1b]0;owned\x07" in made.lines(0, 1, 250, 0)[0].plain
    made.open(0)
    assert made.opened is not None
    assert "\x1b" not in made.opened.name, "the foot names it"
