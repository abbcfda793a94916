"""`--demo`: made-up GPUs wherever readings are shown, each time with the word for it, and never kept."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from cli.command import bongsu, complaint, end, running

_SCENARIO = """
devices:
  - {name: Made Up 1, utilization: 37}
processes:
  - {pid: 4194300, command: invented, user: nobody-real, owner: {kind: slurm, id: "77", name: dream}, on: [{gpu: 0, memory_mib: 512, sm: 30}]}
"""


def _get(port: int, path: str, token: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_a_scrape_says_that_its_gpus_are_made_up_and_a_real_one_does_not() -> None:
    """bongsu_demo 1 stands beside made-up readings, also where only one collector is asked, and never beside real ones."""
    for names in ((), ("gpu_process",)):
        made_up = bongsu("collect", "--once", *names, "--demo").stdout
        assert re.search(r"^bongsu_demo 1(\.0)?$", made_up, re.MULTILINE)
        assert 'gpu_process_count{gpu="5"' in made_up
    assert "bongsu_demo" not in bongsu("collect", "--once", "gpu").stdout


def test_a_file_is_played_instead(tmp_path: Path) -> None:
    """--demo FILE plays that scenario, and its processes have their command, user and owner; the key `demo` does the same."""
    file = tmp_path / "one.yaml"
    file.write_text(_SCENARIO)
    settings = tmp_path / "bongsu.yaml"
    settings.write_text(f"demo: {file}\n")
    for given in (("--demo", str(file)), ("-c", str(settings))):
        text = bongsu("collect", "--once", *given, "gpu", "gpu_process").stdout
        assert "gpu_utilization_ratio" in text
        assert " 0.37" in text
        assert 'command="invented"' in text
        assert text.count("gpu_up{") == 1


def test_what_a_scenario_does_not_say_of_a_process_is_absent(tmp_path: Path) -> None:
    """Without `sm` none of its four shares is there; an idle one says `sm: 0` and has zeros."""
    file = tmp_path / "two.yaml"
    file.write_text(
        "devices: [{}]\nprocesses: [{pid: 4194301, on: [{gpu: 0}]}, {pid: 4194302, on: [{gpu: 0, sm: 0}]}]\n"
    )
    text = bongsu("collect", "--demo", str(file), "gpu_process").stdout
    assert 'gpu_process_memory_bytes{gpu="0"' in text
    found = set(re.findall(r'^(gpu_process_(?:\w+_ratio|utilization)){.*pid="(\d+)".* 0\.0$', text, re.MULTILINE))
    shares = ("sm_ratio", "memory_bandwidth_ratio", "encoder_ratio", "decoder_ratio", "utilization")
    assert found == {(f"gpu_process_{share}", "4194302") for share in shares}


def test_a_word_after_the_flag_is_a_file_only_where_it_looks_like_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`collect --demo gpu` asks the collector gpu; --demo=FILE takes any name; a command without words takes any for its file."""
    monkeypatch.chdir(tmp_path)
    for name in ("gpu", "one.yaml"):
        Path(name).write_text(_SCENARIO)
    for given in (("--demo", "gpu"), ("gpu", "--demo"), ("--demo", "gpu", "--once")):
        text = bongsu("collect", *given).stdout
        assert text.count("gpu_up{") == 8, given
        assert "gpu_process_count" not in text
    for given in (("--demo=gpu", "gpu"), ("--demo", "one.yaml", "gpu"), ("--demo", "./gpu", "gpu")):
        assert bongsu("collect", *given).stdout.count("gpu_up{") == 1, given
    assert len(json.loads(bongsu("status", "--json", "--demo", "gpu").stdout)["gpus"]) == 1
    assert complaint("collect", "--demo", "gpus").startswith("gpus: there is no such collector; did you mean gpu?")
    for command in (("up", "--port", "0"), ("agent", "--port", "0"), ("top",), ("status",), ("check", "node")):
        assert complaint(*command, "--demo", "gpus").startswith("gpus: no such file"), command


def test_a_bad_scenario_is_refused_in_one_line(tmp_path: Path) -> None:
    """A file that is missing or wrong is named with its option, line and key, before anything starts."""
    assert complaint("status", "--demo", str(tmp_path / "none.yaml")).startswith(f"{tmp_path}/none.yaml: no such file")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("devices:\n  - {name: X, colour: red}\n")
    said = complaint("up", "--port", "0", "--data-dir", str(tmp_path), "--demo", str(wrong))
    assert "colour" in said
    assert "wrong.yaml:2" in said


def test_status_and_top_are_headed_by_the_word() -> None:
    """The first line of each says DEMO, and its JSON has the key; without --demo neither does."""
    done = bongsu("status", "--demo")
    assert done.stdout.startswith("DEMO: the GPUs are made up\n"), done.stderr
    assert bongsu("top", "--demo").stdout.startswith("DEMO ")
    assert not bongsu("status").stdout.startswith("DEMO")
    assert json.loads(bongsu("status", "--demo", "--json").stdout)["demo"] is True
    assert json.loads(bongsu("status", "--json").stdout)["demo"] is False


def test_up_says_so_and_keeps_nothing(tmp_path: Path) -> None:
    """The start line says DEMO; neither history nor a sink's file comes to be, whatever the settings ask for."""
    data, settings = tmp_path / "data", tmp_path / "bongsu.yaml"
    settings.write_text(
        f"sinks: {{textfile: {tmp_path}/made-up.prom, jsonl: {{path: {tmp_path}/made-up.jsonl}}}}\nstore: {{enabled: on}}\n"
    )
    arguments = ("up", "--port", "0", "--demo", "--data-dir", str(data), "-c", str(settings), "--interval", "0.5")
    with running(*arguments, env={"XDG_STATE_HOME": str(tmp_path / "state")}) as process:
        assert process.stdout
        first = process.stdout.readline()
        assert first.startswith("DEMO: Bongsu watches ")
        assert process.stdout.readline().startswith("The GPUs and the processes on them are made up")
        match = re.search(r":(\d+)/\?token=(\S+)", first)
        assert match
        port, token = int(match[1]), match[2]
        until = time.monotonic() + 120
        while not json.loads(_get(port, "/api/status", token))["ready"]:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert json.loads(_get(port, "/api/status", token))["demo"] is True
        assert re.search(r"^bongsu_demo 1(\.0)?$", _get(port, "/metrics", token), re.MULTILINE)
        assert end(process, signal.SIGTERM)[0] == 0
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if "history" in name or "made-up" in name]
