"""`bongsu owner` as a user sees it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bongsu.model.owner import By, Evidence, Owner, OwnerKind
from bongsu.sources.procfs.process import Process
from bongsu.views.owned import lines, sentence
from cli.command import bongsu, complaint

H = "4f" * 32
KEYS = {
    "kind", "id", "name", "namespace", "container", "step", "user", "evidence", "runtime", "unit", "inside", "pid",
    "start_time", "command",
}  # fmt: skip


def _tree(top: Path, lines: str) -> list[str]:
    for name in ("proc/7", "sys", "root/etc"):
        (top / name).mkdir(parents=True)
    (top / "proc/stat").write_text("cpu  0 0\nbtime 1000\n")
    (top / "proc/7/stat").write_text(f"7 (python) S 1 {'0 ' * 17}500 0 0 0\n")
    (top / "proc/7/statm").write_text("1 1 1 1 1 1 1\n")
    (top / "proc/7/status").write_text("Name:\tpython\nUid:\t1000\t1000\t1000\t1000\n")
    (top / "proc/7/cgroup").write_text(lines)
    (top / "root/etc/passwd").write_text("alice:x:1000:1000::/home/alice:/bin/sh\n")
    return ["--procfs", f"{top}/proc", "--sysfs", f"{top}/sys", "--rootfs", f"{top}/root"]


def test_a_job_in_words_and_as_json(tmp_path: Path) -> None:
    """One sentence and what told it; the JSON has the same, under keys that stay."""
    where = _tree(tmp_path, "0::/system.slice/slurmstepd.scope/job_42/step_0/user/task_0\n")
    done = bongsu("owner", "7", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "7 python: Slurm job 42, step 0, of alice",
        "  from the cgroup path: /system.slice/slurmstepd.scope/job_42/step_0/user/task_0",
    ]
    told = json.loads(bongsu("owner", "--json", "7", *where).stdout)
    assert set(told) == KEYS
    assert (told["kind"], told["id"], told["step"], told["user"], told["start_time"]) == (
        "slurm",
        "42",
        "0",
        "alice",
        1005.0,
    )
    assert told["evidence"] == [
        {"by": "cgroup path", "saw": "/system.slice/slurmstepd.scope/job_42/step_0/user/task_0"}
    ]


def test_a_pod_without_a_name_says_why(tmp_path: Path) -> None:
    """Where no way to name a pod worked, each says why, with what helps; as JSON nothing of that is printed."""
    uid = "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55"
    where = _tree(tmp_path, f"0::/kubepods/burstable/pod{uid}/{H}\n")
    done = bongsu("owner", "7", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[2:] == [
        (
            f"  no name (kubelet Pods API): there is no socket {tmp_path / 'root'}/var/lib/kubelet/pods-api/pods-api.sock; the Pods "
            "API is on by default since Kubernetes 1.37; before, set the kubelet's feature gate PodsAPI"
        ),
        "  no name (kubelet PodResources): it tells no UID, so it can name no pod",
        "  no name (names in the pod log directory): /var/log/pods cannot be listed: No such file or directory",
    ]
    (tmp_path / f"root/var/log/pods/shop_web-0_{uid}").mkdir(parents=True)
    assert bongsu("owner", "7", *where).stdout.splitlines()[1:] == [
        f"  from the cgroup path: /kubepods/burstable/pod{uid}/{H}",
        f"  from the names in the pod log directory: shop_web-0_{uid}",
    ]
    assert json.loads(bongsu("owner", "--json", "7", *where).stdout)["name"] == "web-0"


def test_several_at_once() -> None:
    """Each PID has a line of its own; one that is missing does not hide the others."""
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        done = bongsu("owner", "--json", "self", str(sleeper.pid), "999999999")
    finally:
        sleeper.kill()
        sleeper.wait()
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["pid"] for one in told][1:] == [sleeper.pid]
    assert told[1]["command"] == "sleep"
    assert (done.returncode, done.stderr) == (3, "bongsu: there is no process 999999999\n")


@pytest.mark.parametrize("word", ["x", "-", "0", "1.5", "²", "12345678901", ""])
def test_what_is_no_number_is_refused(word: str) -> None:
    """A word, a zero, a foreign digit: one line that says so, exit code 2."""
    assert "is not the number of a process" in complaint("owner", "--", word)


def test_no_such_process() -> None:
    """Exit code 3 and one line."""
    assert complaint("owner", str(2**22 + 5), code=3) == f"there is no process {2**22 + 5}"


def test_a_name_steers_no_terminal(tmp_path: Path) -> None:
    """A cgroup may be called anything; what is printed holds no control character."""
    where = _tree(tmp_path, "0::/system.slice/\x1b[31m\x9b.service\n")
    done = bongsu("owner", "7", *where)
    assert (done.returncode, "\x1b" in done.stdout, "\x9b" in done.stdout) == (0, False, False)
    assert json.loads(bongsu("owner", "--json", "7", *where).stdout)["id"].startswith("\x1b[31m")


def test_what_may_be_asked_is_a_setting(tmp_path: Path) -> None:
    """With the kubelet off limits nobody says why it gave no name; a word that is no switch is refused."""
    uid = "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55"
    where = _tree(tmp_path, f"0::/kubepods/pod{uid}/{H}\n")
    settings = tmp_path / "bongsu.yaml"
    settings.write_text("owners:\n  kubelet: off\n  environment: off\n")
    done = bongsu("owner", "7", "-c", str(settings), *where)
    assert done.stdout.splitlines() == [
        f"7 python: pod {uid}, container 4f4f4f4f4f4f, of alice",
        f"  from the cgroup path: /kubepods/pod{uid}/{H}",
    ]
    settings.write_text("owners:\n  kubelet: perhaps\n")
    assert "owners.kubelet: perhaps is not allowed; give on or off" in complaint(
        "owner", "7", "-c", str(settings), *where
    )


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        (Owner(OwnerKind.SLURM, "42", "train", step="batch", container=H, user="alice"),
         "Slurm job 42 (train), step batch, container 4f4f4f4f4f4f, of alice"),
        (Owner(OwnerKind.POD, "u-1", "web-1", "shop", "main", user="root"), "pod web-1 of namespace shop, container main, of root"),
        (Owner(OwnerKind.POD, "u-1", container=H, user="root", inside=f"docker {H}"),
         "pod u-1, container 4f4f4f4f4f4f, of root, in docker 4f4f4f4f4f4f"),
        (Owner(OwnerKind.CONTAINER, H, "db", user="alice", runtime="podman", inside="user 1000"),
         "podman container db (4f4f4f4f4f4f), of alice"),
        (Owner(OwnerKind.CONTAINER, H, user="root"), "container 4f4f4f4f4f4f, of root"),
        (Owner(OwnerKind.CONTAINER, "web01", "web01", user="root", runtime="lxc", unit="a.service"),
         "lxc container web01, unit a.service, of root"),
        (Owner(OwnerKind.CONTAINER, "qemu-2-db", "db", user="qemu", runtime="vm"), "virtual machine db (qemu-2-db), of qemu"),
        (Owner(OwnerKind.UNIT, "ollama.service", "ollama.service", user="ollama"), "unit ollama.service, of ollama"),
        (Owner(OwnerKind.USER, "1000", "alice", user="root", unit="session-3.scope"),
         "user alice, unit session-3.scope, running as root"),
        (Owner(OwnerKind.UNKNOWN, "", "kernel"), "the kernel"),
        (Owner(OwnerKind.UNKNOWN, "", user="alice"), "unknown, of alice"),
    ],
)  # fmt: skip
def test_each_kind_has_a_sentence(owner: Owner, words: str) -> None:
    """What manages it, the parts of that, whose it is; ids of containers as short as people write them."""
    assert sentence(owner) == words


def test_why_nothing_is_known_is_said() -> None:
    """Where a file may not be read, the reason stands below the answer."""
    process = Process(
        7, 1, 1.0, 1, 1000, "a", "a", False, "S", 1, 0, 0, 0, 0, None, None, None
    )  # fmt: skip
    owner = Owner(
        OwnerKind.UNKNOWN, "", user="alice", evidence=(Evidence(By.NOTHING, "/proc/7/cgroup: not allowed to read"),)
    )
    assert list(lines(process, owner))[1] == "  because /proc/7/cgroup: not allowed to read"
