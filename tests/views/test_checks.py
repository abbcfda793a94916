"""How answers of checks are drawn."""

from __future__ import annotations

import io
import json

from rich.console import Console

from bongsu.model.check import Evidence, Result, State
from bongsu.model.message import Message
from bongsu.views.checks import checks_json, draw_checks


def _result(place: str, state: State = State.OK, text: str = "fine") -> Result:
    cure = None if state is State.OK else Message("look at it")
    return Result(
        check="heat", subject="GPU", place=place, state=state, message=Message("{t}", t=text), cure=cure, time=5.0
    )


def _drawn(*results: Result, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding, errors="strict") as file:
        draw_checks(results, Console(file=file, width=60, color_system=None, _environ={}))
        file.flush()
        return raw.getvalue().decode(encoding)


def test_alike_answers_share_a_line_and_no_trouble_is_hidden() -> None:
    """GPUs with the same answer are told as a range; another state or sentence has its own line, with its cure below."""
    lines = _drawn(
        *(_result(str(n)) for n in (0, 1, 2, 4, 10, 11)), _result("3", State.FAILED, "hot"), _result("")
    ).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["heat", "0-2,4,10-11", "ok", "fine"], ["heat", "3", "failed", "hot"], ["look", "at", "it"], ["7", "ok,", "1", "failed"],
    ]  # fmt: skip


def test_an_answer_about_all_stands_for_all() -> None:
    """Without a place it is of all GPUs; what nobody knows is counted as that."""
    lines = _drawn(_result("", State.UNKNOWN, "hangs")).splitlines()
    assert lines[1].split() == ["heat", "all", "not", "known", "hangs"]
    assert lines[-1] == "1 not known"


def test_a_terminal_is_neither_steered_nor_asked_for_what_it_lacks() -> None:
    """What comes from the machine is written out, and the sign of degrees is left away where it cannot be drawn."""
    text = _drawn(_result("0", State.WARNING, "\x1b[2J93 °C"), encoding="ascii")
    assert "\x1b" not in text
    assert "93 C" in text


def test_the_document_has_each_answer_with_what_it_rests_on() -> None:
    """Nothing is put together for programs; a reading that was not there is null."""
    one = Result(
        check="ecc", subject="GPU", place="3", uuid="GPU-3", state=State.UNKNOWN, message=Message("not told"), time=5.0,
        evidence=(Evidence("gpu_ecc_errors_total", ("uncorrected", "volatile"), None),),
    )  # fmt: skip
    document = json.loads(checks_json([one, one], 3))
    assert len(document["results"]) == 2
    assert document["results"][0] == {
        "check": "ecc", "subject": "GPU", "place": "3", "uuid": "GPU-3", "state": "unknown", "message": "not told",
        "cure": None, "time": 5.0,
        "evidence": [{"metric": "gpu_ecc_errors_total", "labels": ["uncorrected", "volatile"], "value": None}],
    }  # fmt: skip
    assert (document["format"], document["exit_code"], document["demo"]) == (1, 3, False)
