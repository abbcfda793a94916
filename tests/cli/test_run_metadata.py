"""What is known of a run before its command starts."""

from __future__ import annotations

import subprocess
import threading
from typing import NoReturn

import pytest

from bongsu.cli import run_metadata


def test_a_directory_that_does_not_answer_keeps_no_command_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a dead network file system git never starts, nor ends: the revision is unknown, and the run begins."""
    asked, freed, ended = threading.Event(), threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> NoReturn:
        asked.set()
        freed.wait()
        ended.set()
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "Popen", hang)
    try:
        known = run_metadata.gathered(
            "id", ("true",), 0.0, 1.0, name="", tags=(), message="", experiment="", functions=()
        )
        assert asked.wait(60)
        assert not freed.is_set()
        assert (known.git_revision, known.git_dirty) == ("", None)
    finally:
        freed.set()
    assert ended.wait(60)
