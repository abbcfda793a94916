"""Runs in turn: their order, and what ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from bongsu.model.errors import BadInput
from bongsu.runs.repeat import Ended, Turn, experiment, order, run_all, words
from cli.command import _heed_signals

DRIVER = """
import sys
from bongsu.runs.repeat import Turn, run_all
ended = run_all(
    [Turn(0), Turn(1), Turn(0)], lambda turn: ["sh", "-c", sys.argv[1]],
    lambda number, turn: print("turn", number, flush=True),
)
print(len(ended.done), ended.code, ended.interrupted, flush=True)
"""


def _sides(turns: Sequence[Turn]) -> str:
    return "".join("ABC"[turn.side] for turn in turns)


def test_sides_take_turns_forward_and_back() -> None:
    """ABBA for two, ABC CBA for three: each round has every side once, and a steady rise falls on all alike."""
    assert _sides(order(2, 4)) == "ABBAABBA"
    assert _sides(order(3, 2)) == "ABCCBA"
    assert _sides(order(1, 3)) == "AAA"
    for sides, repeats in ((2, 8), (3, 4)):
        turns = order(sides, repeats)
        places = [[at for at, turn in enumerate(turns) if turn.side == side] for side in range(sides)]
        assert len({sum(place) for place in places}) == 1


def test_a_seed_shuffles_within_rounds() -> None:
    """The same seed gives the same order, another another; each round still has every side once."""
    turns = order(3, 20, seed=1)
    assert turns == order(3, 20, seed=1)
    assert turns != order(3, 20, seed=2)
    assert {_sides(turns[at : at + 3]) for at in range(0, 60, 3)} <= {"ABC", "ACB", "BAC", "BCA", "CAB", "CBA"}
    assert turns != order(3, 20)


def test_warming_up_comes_first() -> None:
    """So many runs of each side, marked, before those that count."""
    turns = order(2, 2, warmup=2)
    assert turns[:4] == [Turn(0, warmup=True), Turn(1, warmup=True)] * 2
    assert _sides(turns[4:]) == "ABBA"


def test_a_command_in_one_text_is_split_as_a_shell_would() -> None:
    """Quotes hold together, but nothing is expanded; what cannot be split is refused."""
    assert words("python 'my file.py' --n=\"2 3\" $HOME *") == ["python", "my file.py", "--n=2 3", "$HOME", "*"]
    for text, why in (("python 'x", "no closing quotation"), ("", "give the command"), ("  ", "give the command")):
        with pytest.raises(BadInput, match=why):
            words(text)


def test_an_experiment_has_a_name_of_its_own() -> None:
    """Its time in UTC and something no other has."""
    assert experiment(0.0).startswith("19700101-000000-")
    assert experiment(0.0) != experiment(0.0)


def test_each_turn_is_run_once_and_told_before(tmp_path: Path) -> None:
    """In order, with nothing to read from, and all of them are reported as done."""
    told: list[int] = []
    log = tmp_path / "log"
    turns = order(2, 2)
    ended = run_all(
        turns, lambda turn: ["sh", "-c", f"echo {turn.side} $(cat) >> {log}"], lambda number, _: told.append(number)
    )
    assert ended == Ended(tuple(turns))
    assert log.read_text().split() == ["0", "1", "1", "0"]
    assert told == [0, 1, 2, 3]


def test_a_failure_ends_it_unless_told_otherwise() -> None:
    """Its exit code is handed on and its run is not among those done; the recorder's own failure always ends it."""
    turns = order(1, 3)
    assert run_all(turns, lambda _: ["sh", "-c", "exit 7"], lambda *_: None) == Ended((), 7)
    assert run_all(turns, lambda _: ["sh", "-c", "kill -9 $$"], lambda *_: None) == Ended((), 137)
    going_on = run_all(turns, lambda _: ["sh", "-c", "exit 7"], lambda *_: None, ignore_failure=True)
    assert going_on == Ended(tuple(turns))
    own = run_all(turns, lambda _: ["sh", "-c", "exit 125"], lambda *_: None, ignore_failure=True)
    assert own == Ended((), 125)


def test_handlers_are_put_back() -> None:
    """Afterwards signals are handled as before, and what was ignored stays so."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    run_all(order(1, 1), lambda _: ["true"], lambda *_: None)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize(
    ("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, False)], ids=str
)
def test_a_signal_ends_it_cleanly(number: signal.Signals, to_all: bool, tmp_path: Path) -> None:
    """Ctrl-C (to all of the group) or a SIGTERM (to us, passed on): the turn ends, no other begins, what is done is kept."""
    started = tmp_path / "started"
    script = f"test -e {started} || {{ touch {started}; exit 0; }}; touch {started}2; exec sleep 600"
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, script], stdout=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=_heed_signals,  # noqa: PLW1509  the tests have no threads that fork could harm
    ) as driver:  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while not Path(f"{started}2").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            (os.killpg if to_all else os.kill)(driver.pid, number)
            out, _ = driver.communicate(timeout=120)
        finally:
            driver.kill()
    assert out.splitlines() == ["turn 0", "turn 1", f"1 {128 + number} True"]
