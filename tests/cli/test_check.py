"""`bongsu check node` as a user runs it: with the made-up machine, with the library that plays a scenario, and without GPUs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bongsu.sources.nvml import scenario_file
from bongsu.sources.nvml.scenario import Scenario
from cli.command import bongsu, complaint
from fake_nvml.machine import FakeNvml

WELL = """
devices:
  - {name: Played 1, ecc: {}, remapped: {}, activity: {sm: 50}, utilization: 60}
  - {name: Played 2, ecc: {}, remapped: {}, activity: {sm: 50}, utilization: 60%s}
"""
Play = Callable[[str], FakeNvml]


@pytest.fixture
def play(fake_nvml: Callable[[Scenario], FakeNvml], tmp_path: Path) -> Play:
    """Plays this text."""

    def of(text: str) -> FakeNvml:
        file = tmp_path / "scenario.yaml"
        file.write_text(text)
        return fake_nvml(scenario_file.load(str(file)))

    return of


def answers(fake: FakeNvml | None, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON document."""
    done = bongsu("check", "node", "--json", *arguments, env={} if fake is None else fake.environment)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def states(document: dict[str, Any]) -> dict[tuple[str, str], str]:
    """How each check stands at each place."""
    return {(one["check"], one["place"]): one["state"] for one in document["results"]}


def test_the_made_up_machine_has_its_troubles_found() -> None:
    """--demo: GPU 6 fails in three ways, GPU 5 is stuck, a slice's utilisation is not known; DEMO stands above it."""
    done = bongsu("check", "node", "--demo")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("DEMO: the GPUs are made up\n")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows if row[1:3] == ["6", "failed"]] == ["recovery", "ecc", "remap"]
    assert [row[0] for row in rows if row[1:3] == ["5", "warning"]] == ["stuck"]
    code, document = answers(None, "--demo")
    assert (code, document["exit_code"], document["demo"]) == (1, 1, True)
    assert states(document)["stuck", "7"] == "unknown"


def test_well_gpus_end_with_0_and_fewer_than_expected_with_1(play: Play) -> None:
    """Exit 0 with nothing wrong, though XIDs of before are not known; --gpus 3 and the settings' count find that one is missing."""
    fake = play(WELL % "")
    code, document = answers(fake)
    found = states(document)
    assert code == 0, document
    assert found.pop(("xid", "")) == "unknown"
    assert set(found.values()) == {"ok"}
    assert document["demo"] is False
    for given in (("--gpus", "3"), ("--collector.gpu.count", "3")):
        code, document = answers(fake, *given, "--only", "present")
        assert code == 1
        assert {one["check"] for one in document["results"]} == {"present"}
        assert states(document)["present", ""] == "failed"


def test_troubles_of_a_real_library_are_found(play: Play) -> None:
    """Memory errors, heat, an error told while we listen, and clocks held down by the power supply, with what they rest on."""
    often = json.dumps([{"at": quarter / 4, "xid": 79} for quarter in range(400)])
    trouble = (
        f", temperature: 93, xids: {often}, event_reasons: {{hw_power_brake_slowdown: 1}},"
        " ecc: {uncorrected: 4}, remapped: {failed: true}"
    )
    fake = play(
        WELL.replace(
            "ecc: {}, remapped: {}, activity: {sm: 50}, utilization: 60%s", "activity: {sm: 0}, utilization: 100%s"
        )
        % trouble
    )
    code, document = answers(fake)
    found = states(document)
    assert code == 1
    assert {check: found[check, "1"] for check in ("xid", "ecc", "remap", "temperature", "throttle", "stuck")} == {
        "xid": "failed", "ecc": "failed", "remap": "failed", "temperature": "failed", "throttle": "failed", "stuck": "warning",
    }  # fmt: skip
    assert {found[check, "0"] for check in ("ecc", "remap", "temperature", "throttle", "stuck")} == {"ok"}
    ecc = next(one for one in document["results"] if (one["check"], one["place"]) == ("ecc", "1"))
    assert {"metric": "gpu_ecc_errors_total", "labels": ["uncorrected", "volatile"], "value": 4.0} in ecc["evidence"]


def test_a_warning_fails_only_with_strict(play: Play) -> None:
    """Busy but stuck warns: exit 0, and 1 with --strict, which the JSON says too; a failure is 1 either way, not known 3."""
    fake = play(WELL.replace("activity: {sm: 50}, utilization: 60%s", "activity: {sm: 0}, utilization: 100%s") % "")
    for given, expected in (((), 0), (("--strict",), 1), (("--strict", "--only", "ecc"), 0)):
        code, document = answers(fake, *given)
        assert (code, document["exit_code"]) == (expected, expected)
        assert ("warning" in states(document).values()) == ("--only" not in given)
    for given in ((), ("--strict",)):
        assert answers(fake, "--gpus", "3", *given)[0] == 1
        assert answers(fake, "--only", "xid", *given)[0] == 3
    assert answers(fake, "--only", "stuck")[0] == 0


def test_what_a_gpu_does_not_tell_is_not_known_and_no_health(play: Play) -> None:
    """A card without ECC and spare rows: neither is said to be well, with --strict or without; asked for alone, exit 3."""
    fake = play("devices: [{name: Plain}]")
    for given in ((), ("--strict",)):
        code, document = answers(fake, "--only", "ecc", "--only", "remap", *given)
        assert code == 3
        assert states(document) == {("ecc", "0"): "unknown", ("remap", "0"): "unknown"}
        assert all("does not offer it" in one["message"] for one in document["results"])


def test_a_lost_gpu_is_found_and_the_other_is_judged(play: Play) -> None:
    """The one that is lost fails `present`; the other's checks answer."""
    code, document = answers(play(WELL % ", lost_at: 0"), "--only", "present", "--only", "ecc")
    assert code == 1
    found = states(document)
    assert (found["present", "1"], found["present", "0"], found["ecc", "0"]) == ("failed", "ok", "ok")


def test_where_nothing_can_be_judged_the_answer_is_3(tmp_path: Path) -> None:
    """The files of a machine without GPUs are not said to be fine."""
    for name in ("proc", "sys", "root"):
        (tmp_path / name).mkdir()
    (tmp_path / "proc" / "stat").write_text("")
    trees = [part for name in ("proc", "sys", "root") for part in (f"--{name}fs", str(tmp_path / name))]
    done = bongsu("check", "node", *trees)
    assert (done.returncode, done.stderr) == (3, "")
    assert "no GPU here" in done.stdout
    assert " ok " not in done.stdout


def test_words_that_cannot_be_used_are_refused() -> None:
    """Each in one line, with what is allowed."""
    assert "did you mean ecc?" in complaint("check", "node", "--only", "eccc")
    assert "give 0 or more" in complaint("check", "node", "--gpus", "-1")
    assert complaint("check", "node", "--gpus", "many").startswith("--gpus many is not allowed")
