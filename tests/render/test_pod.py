"""The chart's pods run here as their manifests stand: the same command, user, rights, environment and mounts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bongsu.render
import fake_kubelet
import node_exporter as ne
from bongsu.sources.nvml.scenario import Device, Process, Scenario, Use
from fake_kubelet import FakeKubelet
from fake_nvml.machine import FakeNvml
from helm import Helm
from one_pod import Pod
from real_cgroups import Cgroups, cgroups

pytestmark = pytest.mark.needs_root

CHART = Path(bongsu.render.__file__).parent / "chart"
LOGGED, TOLD = "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55", "1d0cc2bf-0f6e-4a8e-8c1d-2f3a4b5c6d7e"  # who knows the name
CONTAINER = "0a" * 32
RESEARCHER = 64322
GPUS = ["GPU-11111111-0000-4000-8000-000000000000", "GPU-22222222-0000-4000-8000-000000000000"]


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helm]:
    """One Helm for all tests here."""
    with Helm(tmp_path_factory.mktemp("home")) as one:
        yield one


class Node:
    """A node's files, a kubelet, and three processes: a user's, one of a pod that the logs name, one that the kubelet names."""

    def __init__(self, kubelet: FakeKubelet, groups: Cgroups) -> None:
        self.kubelet = kubelet
        self.files = kubelet.rootfs
        self.user = groups.sleeper("user", user=RESEARCHER)
        self.logged = groups.sleeper(f"kubepods/besteffort/pod{LOGGED}/{CONTAINER}")
        self.told = groups.sleeper(f"kubepods/besteffort/pod{TOLD}/{'0b' * 32}")
        kubelet.says(
            fake_kubelet.pod(TOLD, "train-0", "ml", {"main": "0b" * 32}),
            List=[
                fake_kubelet.resources("ml", "train-0", "main", fake_kubelet.devices("nvidia.com/gpu", GPUS, [0])).hex()
            ],
        )
        self._file("etc/passwd", f"root:x:0:0::/:/bin/sh\nresearcher:x:{RESEARCHER}:0::/:/bin/sh\n")
        self._file("etc/os-release", "ID=nodeos\nNAME=NodeOS\n")
        number = next(
            each for each in Path("/sys/block").iterdir() if not each.name.startswith(("loop", "ram", "zram"))
        )
        self._file(f"run/udev/data/b{(number / 'dev').read_text().strip()}", "E:ID_MODEL=Spinner\n")
        (self.files / f"var/log/pods/web_shop-0_{LOGGED}" / "app").mkdir(parents=True)
        link = self.files / "var/log/containers" / f"shop-0_web_app-{CONTAINER}.log"
        link.parent.mkdir(parents=True)
        link.symlink_to(f"/var/log/pods/web_shop-0_{LOGGED}/app/0.log")

    def _file(self, name: str, text: str) -> None:
        (self.files / name).parent.mkdir(parents=True, exist_ok=True)
        (self.files / name).write_text(text)


@pytest.fixture
def node() -> Iterator[Node]:
    """A node with a kubelet that answers."""
    kubelet = FakeKubelet().start()
    try:
        with cgroups() as groups:
            yield Node(kubelet, groups)
    finally:
        kubelet.remove()


@pytest.fixture
def pod(helm: Helm, node: Node, tmp_path: Path) -> Callable[..., Pod]:
    """The first pod of the chart with these values."""

    def made(driver: Path | None = None, scratch: str = "scratch", **values: Any) -> Pod:
        values["settings"] = {"deadline": 60}  # on a busy machine no collector is late for that
        manifests = helm.template(CHART, values)
        (workload,) = (each for each in manifests if each["kind"] in {"DaemonSet", "CronJob"})
        spec = workload["spec"]
        if workload["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        for parent in (tmp_path, *tmp_path.parents):  # pytest's directories are for their owner only
            if parent != Path("/") and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o001)
        return Pod(manifests, spec["template"]["spec"], node.files, tmp_path / scratch, driver)

    return made


def _probe(pod: Pod, name: str) -> list[str]:
    return list(pod.container[name]["exec"]["command"])


@contextlib.contextmanager
def _started(pod: Pod) -> Iterator[subprocess.Popen[bytes]]:
    """The pod's own command, once its startup probe is content."""
    command = pod.command()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            until = time.monotonic() + 120
            while (
                subprocess.run(pod.inside(process.pid, _in_path(_probe(pod, "startupProbe"))), capture_output=True, check=False)
                .returncode
            ):  # fmt: skip
                if process.poll() is not None or time.monotonic() > until:
                    process.kill()
                    assert process.stdout
                    raise AssertionError(process.stdout.read().decode())
                time.sleep(0.2)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    assert not process.returncode


def _comes(ask: Callable[[], object], wanted: object) -> object:
    """The answer as soon as it is that, else the last: who asks once waits 2 s for the kubelet, which is not long on a busy machine."""
    until = time.monotonic() + 100
    while (answer := ask()) != wanted and time.monotonic() < until:
        time.sleep(0.5)
    return answer


def _in_path(command: list[str]) -> list[str]:
    return ["env", f"PATH={Path(sys.executable).parent}:/usr/bin:/bin", *command]


def _scraped(pod: Pod, process: subprocess.Popen[bytes], port: int) -> tuple[int, str]:
    """What a Prometheus that has the Secret gets, and the status of who has not."""
    code = (
        "import urllib.request as u, urllib.error, base64, re, sys\n"
        f"at = 'http://127.0.0.1:{port}/metrics'\n"
        "try: u.urlopen(at, timeout=60); print(200)\n"
        "except urllib.error.HTTPError as e: print(e.code)\n"
        "c = base64.b64encode((open('/auth/username').read() + ':' + open('/auth/password').read()).encode()).decode()\n"
        "print(u.urlopen(u.Request(at, headers={'Authorization': 'Basic ' + c}), timeout=60).read().decode())\n"
    )
    done = subprocess.run(
        pod.inside(process.pid, _in_path(["python", "-c", code])),
        capture_output=True,
        text=True,
        check=True,
        timeout=150,
    )
    status, _, text = done.stdout.partition("\n")
    return int(status), text


def _series(text: str, name: str) -> list[tuple[dict[str, str], float]]:
    return [(dict(labels), value) for (each, labels), value in ne.parse(text).values.items() if each == name]


def _rights(process: subprocess.Popen[bytes]) -> dict[str, str]:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.mark.parametrize("kubelet", [True, False])
def test_the_daemonset_serves_the_node(pod: Callable[..., Pod], node: Node, kubelet: bool) -> None:
    """/metrics is the node's, for who has the password; as root without any capability, or as a user of nobody's."""
    port = ne.free_port()
    one = pod(port=port, permissions={"kubelet": kubelet})
    with _started(one) as process:
        rights = _rights(process)
        wanted = {"shop-0", "train-0", "researcher"} if kubelet else set()
        until = time.monotonic() + 120
        while True:  # the kubelet is asked by a child of the agent; until it has answered, a pod is its UID
            status, text = _scraped(one, process, port)
            names = {labels.get("name") for labels, _ in _series(text, "owner_info")}
            if wanted <= names or time.monotonic() > until:
                break
            time.sleep(1)
        live = subprocess.run(one.inside(process.pid, _in_path(_probe(one, "livenessProbe"))), check=False)
    assert status == 401
    assert live.returncode == 0
    assert rights["Uid"].split() == ["0" if kubelet else "65532"] * 4
    assert rights["NoNewPrivs"] == "1"
    assert {rights[each] for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert _series(text, "node_memory_MemTotal_bytes")[0][1] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert wanted <= names
    if kubelet:
        assert not _series(text, "node_filesystem_size_bytes")
    else:
        root = os.statvfs("/")
        sizes = {labels["mountpoint"]: value for labels, value in _series(text, "node_filesystem_size_bytes")}
        assert sizes["/"] == root.f_blocks * root.f_frsize
        assert not any("/host" in mount for mount in sizes)
    assert not _series(text, "node_network_receive_bytes_total"), "the pod's own network is not the node's"


def _collect(pod: Pod, *collectors: str, without: str = "") -> str:
    done = pod.run("bongsu", "collect", "--once", "--config", "/config/bongsu.yaml", *collectors, without=without)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _container_name(pod: Pod, node: Node, without: str) -> object:
    done = pod.run("bongsu", "owner", "--json", "--config", "/config/bongsu.yaml", str(node.logged), without=without)
    return json.loads(done.stdout)["container"]


def _devices(pod: Pod, node: Node, without: str) -> object:
    code = (
        "import time; from bongsu.owners.kubernetes import PodNames; from bongsu.sources.root import Machine\n"
        "names = PodNames(Machine.at('/host/proc', '/host/sys', '/'), patience=30)\n"
        "found = names.devices()\n"
        "print([c.devices[0].ids for c in found.containers] if found else [])\n"
    )
    done = pod.run("python", "-c", code, without=without)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _owner(pod: Pod, node: Node, without: str, pid: int) -> object:
    done = pod.run("bongsu", "owner", "--json", "--config", "/config/bongsu.yaml", str(pid), without=without)
    document = json.loads(done.stdout)
    return document["kind"], document["name"]


ANSWERS: dict[str, tuple[Callable[[Pod, Node, str], object], object, object]] = {
    "os-release": (lambda p, _, w: 'id="nodeos"' in _collect(p, "os", without=w), True, False),
    "passwd": (lambda p, n, w: _owner(p, n, w, n.user), ("user", "researcher"), ("user", str(RESEARCHER))),
    "udev": (lambda p, _, w: 'model="Spinner"' in _collect(p, "diskstats", without=w), True, False),
    "pod-logs": (lambda p, n, w: _owner(p, n, w, n.logged), ("pod", "shop-0"), ("pod", "")),
    "container-logs": (_container_name, "app", CONTAINER),
    "pods-api": (lambda p, n, w: _owner(p, n, w, n.told), ("pod", "train-0"), ("pod", "")),
    "pod-resources": (_devices, f"[{tuple(GPUS)}]", "[]"),
}


@pytest.mark.parametrize("mount", ANSWERS)
def test_each_mount_has_its_answer(pod: Callable[..., Pod], node: Node, mount: str) -> None:
    """With it the answer is the node's; without it, the worse one that the documentation tells."""
    one = pod()
    ask, right, worse = ANSWERS[mount]
    assert _comes(lambda: ask(one, node, ""), right) == right
    assert ask(one, node, mount) == worse


@pytest.mark.parametrize("mount", ["config", "auth", "proc", "sys"])
def test_without_the_others_it_does_not_start(pod: Callable[..., Pod], node: Node, mount: str) -> None:
    """It says which file is missing, and ends."""
    one = pod()
    done = one.run(without=mount)
    assert done.returncode == 2
    (path,) = (each["mountPath"] for each in one.container["volumeMounts"] if each["name"] == mount)
    assert path in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_every_mount_of_the_chart_was_asked_about(pod: Callable[..., Pod]) -> None:
    """No mount is there for nothing: each stands in one of the tests here."""
    names = {each["name"] for each in pod().container["volumeMounts"]}
    assert names == {*ANSWERS, "config", "auth", "proc", "sys"}


@pytest.mark.parametrize("kubelet", [True, False])
def test_gpus_are_read_with_their_pods(pod: Callable[..., Pod], node: Node, tmp_path: Path, kubelet: bool) -> None:
    """With what NVIDIA's runtime brings: a process with its pod, fewer GPUs than were counted on, who holds an idle one."""
    devices = tuple(Device(uuid=uuid) for uuid in GPUS)
    processes = tuple(Process(pid=pid, on=(Use(gpu=0, memory_mib=512.0),)) for pid in (node.logged, node.told))
    (tmp_path / "driver").mkdir()
    FakeNvml(tmp_path / "driver", Scenario(devices=devices, processes=processes))
    port = ne.free_port()
    one = pod(tmp_path / "driver", port=port, gpu={"count": 4}, permissions={"kubelet": kubelet, "rootfs": False})
    wanted = {"shop-0", "train-0" if kubelet else TOLD}  # without a name the UID
    with _started(one) as process:
        until = time.monotonic() + 120
        while True:
            _, text = _scraped(one, process, port)
            seen = {labels.get("pod") for labels, _ in _series(text, "gpu_process_info")} - {None}
            held = {labels["uuid"]: labels["name"] for labels, _ in _series(text, "gpu_allocation")}
            # Absent where the collector gpu missed its deadline, since the reader's child began slowly; gpu_process then did not.
            told = _series(text, "gpu_info")
            if (seen == wanted and len(held) == 2 * kubelet and told) or time.monotonic() > until:
                break
            time.sleep(1)
    assert seen == wanted
    assert held == (dict.fromkeys(GPUS, "train-0") if kubelet else {})
    assert {labels["uuid"] for labels, _ in told} == set(GPUS)
    assert sorted(value for _, value in _series(text, "gpu_process_count")) == [0, 2]
    assert [value for _, value in _series(text, "gpu_expected")] == [4]


@pytest.mark.parametrize("user", [0, RESEARCHER])
def test_the_textfile_is_there_while_the_pod_is(pod: Callable[..., Pod], node: Node, user: int) -> None:
    """Written as a whole into the node's directory, by who owns it, readable by others; gone when the pod ends."""
    directory = node.files / "var/lib/node_exporter/textfile_collector"
    directory.mkdir(parents=True)
    os.chown(directory, user, user)
    values = {"permissions": {"kubelet": False}} if user else {}
    one = pod(mode="textfile", port=ne.free_port(), collection={"interval": "1s"}, textfile={"user": user}, **values)
    path = directory / "bongsu.prom"
    with _started(one):
        until = time.monotonic() + 120
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.1)
        text, status = path.read_text(), path.stat()
    assert _series(text, "node_memory_MemTotal_bytes")
    assert status.st_uid == user
    assert status.st_mode & 0o777 == 0o644
    assert list(directory.iterdir()) == []


def test_the_cronjob_writes_the_file_once(helm: Helm, pod: Callable[..., Pod], node: Node) -> None:
    """Its command ends well and leaves the file; the Job that the chart runs at the end takes it away."""
    one = pod(mode="cronjob", nodes=["gpu-1"])
    path = node.files / "var/lib/node_exporter/textfile_collector" / "bongsu.prom"
    wanted = {"shop-0", "train-0", "researcher"}

    def named() -> object:
        done = one.run()
        assert done.returncode == 0, done.stderr
        return wanted & {labels.get("name") for labels, _ in _series(path.read_text(), "owner_info")}

    assert _comes(named, wanted) == wanted
    source = (CHART / "templates" / "_pod.tpl").read_text()
    (remove,) = re.findall(r'printf "(sleep 10; rm -f /textfile/%s)"', source)
    assert one.run("sh", "-c", remove.replace("sleep 10", "sleep 0") % "bongsu.prom").returncode == 0
    assert not path.exists()


def test_what_the_page_says_to_ask_the_pod_answers(pod: Callable[..., Pod], node: Node) -> None:
    """Each `kubectl exec POD -- bongsu …` of docs/kubernetes.md runs in the pod, as it stands there."""
    text = (Path(__file__).parents[2] / "docs" / "kubernetes.md").read_text()
    commands = re.findall(r"exec POD -- (bongsu .*)$", text, re.MULTILINE)
    assert {each.split()[1] for each in commands} == {"status", "collect", "check", "owner"}
    one = pod()
    for each in commands:
        done = one.run(*each.replace("PID", str(node.told)).split())
        if "owner" in each:
            _comes(lambda: _owner(one, node, "", node.told), ("pod", "train-0"))
            done = one.run(*each.replace("PID", str(node.told)).split())
        assert done.returncode in {0, 1, 3}, (each, done.stdout, done.stderr)  # 1: something is wrong here, 3: no GPU
        assert "Traceback" not in done.stderr
        assert done.stdout
        if "owner" in each:
            assert "pod train-0 of namespace ml, container main" in done.stdout


def test_the_pod_judges_its_gpus(pod: Callable[..., Pod], tmp_path: Path) -> None:
    """`bongsu check node` in it finds the GPU that gpu.count counts on and the driver does not list, by its exit code."""
    (tmp_path / "driver").mkdir()
    FakeNvml(tmp_path / "driver", Scenario(devices=tuple(Device(uuid=uuid) for uuid in GPUS)))
    for count, code in ((2, 0), (3, 1)):
        one = pod(tmp_path / "driver", scratch=f"scratch{count}", gpu={"count": count})
        done = one.run("bongsu", "check", "node", "--config", "/config/bongsu.yaml", "--only", "present")
        assert done.returncode == code, (done.stdout, done.stderr)
        assert ("2 of 3 GPUs answer" in done.stdout) == (code == 1)


def test_only_the_gpus_that_are_named_are_read(pod: Callable[..., Pod], node: Node, tmp_path: Path) -> None:
    """gpu.devices holds for readings and for processes, by index or UUID; with gpu.access none there is nothing of GPUs."""
    (tmp_path / "driver").mkdir()
    FakeNvml(tmp_path / "driver", Scenario(devices=tuple(Device(uuid=uuid) for uuid in GPUS)))
    asked: tuple[tuple[dict[str, Any], set[str]], ...] = (
        ({}, {"0", "1"}), ({"devices": [1]}, {"1"}), ({"devices": GPUS[:1]}, {"0"}), ({"access": "none"}, set()),
    )  # fmt: skip
    for number, (gpu, wanted) in enumerate(asked):
        one = pod(tmp_path / "driver", scratch=f"scratch{number}", gpu=gpu)
        text = _collect(one)
        for name in ("gpu_info", "gpu_process_count"):
            assert {labels["gpu"] for labels, _ in _series(text, name)} == wanted, (gpu, name)
