"""Whatever stands in /proc/PID/cgroup: no answer that is not borne out, and never a crash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.model.owner import OwnerKind
from bongsu.owners.cgroup import Belief, grouped
from bongsu.owners.paths import read, unescaped
from bongsu.sources.cgroup import Membership, memberships
from bongsu.sources.root import Root

UID = "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55"
H = "4f" * 32
NOWHERE = Belief(Root("/nonexistent"))
WORDS = st.sampled_from(
    [
        "kubepods", "kubepods.slice", "burstable", f"pod{UID}", f"kubepods-pod{UID.replace('-', '_')}.slice", H,
        f"cri-containerd-{H}.scope", f"docker-{H}.scope", f"libpod-conmon-{H}.scope", "docker", "slurm", "slurm_n1", "uid_0", "job_7",
        "step_0", "slurmstepd.scope", "n1_slurmstepd.scope", "sEKNKTV3WPV500", "system.slice", "a.service", "lxc", "lxc.monitor",
        "lxc.payload.x", "user.slice", "user-5.slice", "user@5.service", "user", "..", ".", "machine-x.scope", "supervisor",
        "payload", f"kubepods-pod{UID.replace('-', '_')}.slice:crio:{H}", "systemd-nspawn@x.service", "machine.slice",
        "qemu.slice", "100.scope", "x" * 300, "\udcff\n", "init.scope",
    ]
)  # fmt: skip
PATHS = st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=200).map("/".join)
SCHEDULED = {OwnerKind.SLURM, OwnerKind.POD}


def _one(path: str, controllers: tuple[str, ...] = (), belief: Belief = NOWHERE) -> OwnerKind:
    return grouped([Membership(controllers, path)], belief).kind


@given(st.binary(max_size=2000))
def test_any_bytes_are_taken(text: bytes) -> None:
    """Random bytes give an answer, mostly that nothing is known."""
    grouped(memberships(text), NOWHERE)


@given(st.lists(PATHS, max_size=12))
def test_any_mixture_of_words_is_taken(paths: list[str]) -> None:
    """Words of the grammar in any order give one owner, whose places are prefixes of the paths."""
    lines = [Membership((), f"/{path}") for path in paths]
    found = grouped(lines, NOWHERE)
    for place in found.places:
        assert any(
            f"{'/'.join(w for w in line.path.split('/') if w)}/".startswith(place.path[1:] + "/") for line in lines
        )


@given(PATHS)
def test_nothing_below_the_users_slice_is_a_pod_or_a_job(path: str) -> None:
    """The names of pods and jobs that a user gives to directories of his own are not believed."""
    assert _one(f"/user.slice/{path}") not in SCHEDULED
    assert _one(f"/user.slice/user-1000.slice/user@1000.service/{path}", ("memory",)) not in SCHEDULED


@given(st.integers(1, 10**9), PATHS)
def test_a_user_makes_no_other_user(uid: int, path: str) -> None:
    """Whatever stands below a user's slice, what is found there is that user's."""
    found = grouped([Membership((), f"/user.slice/user-{uid}.slice/{path}")], NOWHERE)
    assert (found.kind, found.user) in {(OwnerKind.USER, uid), (OwnerKind.CONTAINER, uid)}


@pytest.mark.parametrize(
    "path",
    [
        "/" + "a/" * 5000,
        "/" + "../" * 5000,
        "/" + "x" * 1_000_000,
        "/kubepods/" * 2000,
        "/" + "a-" * 500_000 + "kubepods",
    ],
)
def test_a_huge_line_takes_no_time(path: str) -> None:
    """A line that is longer than any real one is read without going over it again and again."""
    assert _one(path) is OwnerKind.UNKNOWN


def test_an_escaped_name_is_given_back_its_bytes() -> None:
    """The manager of units writes a byte that may not stand in a unit's name as a number; what is no number stays."""
    assert unescaped(r"qemu\x2d2\x2dweb") == "qemu-2-web"
    assert unescaped(r"\xc3\xbc\xff") == "ü\udcff"
    assert unescaped(r"a\xzz\x2") == r"a\xzz\x2"


def _tree(top: Path, *directories: str) -> Belief:
    unified = top / "fs/cgroup"
    unified.mkdir(parents=True)
    (unified / "cgroup.controllers").touch()
    (unified / "memory").mkdir()
    for directory in directories:
        (unified / directory).mkdir(parents=True)
        (unified / "memory" / directory).mkdir(parents=True)
    return Belief(Root(str(top)))


@pytest.mark.needs_root
@pytest.mark.parametrize("controllers", [(), ("memory",)])
@pytest.mark.parametrize(
    ("how", "believed"), [("root", True), ("user", False), ("group", False), ("everyone", False)]
)  # fmt: skip
def test_a_directory_that_a_user_writes_makes_no_pod(
    tmp_path: Path, controllers: tuple[str, ...], how: str, believed: bool
) -> None:
    """A subtree that was delegated, by its owner or by its mode, says nothing of pods and jobs; root's own does."""
    paths = {
        OwnerKind.POD: f"/lent/kubepods/pod{UID}/{H}",
        OwnerKind.SLURM: "/lent/slurm/uid_5/job_3/step_0",
        OwnerKind.CONTAINER: f"/lent/docker/{H}",
    }
    belief = _tree(tmp_path, *(path[1:] for path in paths.values()))
    lent = tmp_path / "fs/cgroup" / ("memory/lent" if controllers else "lent")
    if how == "user":
        os.chown(lent, 5, 5)
    elif how != "root":
        lent.chmod(0o775 if how == "group" else 0o757)
    for kind, path in paths.items():
        assert _one(path, controllers, belief) is (kind if believed else OwnerKind.UNKNOWN)


@pytest.mark.needs_root
def test_the_name_of_a_users_directory_was_given_by_root(tmp_path: Path) -> None:
    """A service whose own directory is delegated is that service, whatever it makes below."""
    belief = _tree(tmp_path, f"system.slice/web.service/kubepods/pod{UID}")
    os.chown(tmp_path / "fs/cgroup/system.slice/web.service", 5, 5)
    found = grouped([Membership((), f"/system.slice/web.service/kubepods/pod{UID}")], belief)
    assert (found.kind, found.id) == (OwnerKind.UNIT, "web.service")


@pytest.mark.needs_root
def test_a_users_directory_makes_no_other_user(tmp_path: Path) -> None:
    """Where the slice of all users is one user's to write, the names in it are not whose they say."""
    belief = _tree(tmp_path, "user.slice/user-9.slice")
    lines = [Membership((), "/user.slice/user-9.slice/session-1.scope")]
    assert grouped(lines, belief).user == 9
    os.chown(tmp_path / "fs/cgroup/user.slice", 5, 5)
    belief = Belief(Root(str(tmp_path)))
    assert (grouped(lines, belief).kind, grouped(lines, belief).user) == (OwnerKind.USER, -1)


@pytest.mark.needs_root
def test_a_removed_directory_of_a_user_made_no_pod_either(tmp_path: Path) -> None:
    """Of a zombie's cgroup that is gone, only what root's directories name is believed."""
    belief = _tree(tmp_path, "kubepods/burstable")
    assert _one(f"/kubepods/burstable/pod{UID} (deleted)", (), belief) is OwnerKind.POD
    assert _one(f"/gone/kubepods/burstable/pod{UID} (deleted)", (), belief) is OwnerKind.UNKNOWN


def test_a_path_is_put_together_as_it_was() -> None:
    """The prefix of a hidden path keeps its dots, so that it names the same cgroup to the same reader."""
    assert read("/../../a/b").prefix(1) == "/../../a"
    assert read("/a/b").prefix(2) == "/a/b"


def test_only_plain_digits_are_a_number() -> None:
    """Unicode has other digits; Slurm, systemd and the kernel write none of them."""
    for path in ("/slurm/uid_1/job_\u0664\u0662", "/slurm/uid_\u0661/job_42", "/user.slice/user-\u0664.slice/a.scope"):
        found = grouped([Membership((), path)], NOWHERE)
        assert found.kind is not OwnerKind.SLURM
        assert found.user in {None, -1}


def test_slurms_own_scope_tells_of_no_one() -> None:
    """Its cgroup has all jobs of the node in it, and remembers those that have ended."""
    found = grouped([Membership((), "/system.slice/slurmstepd.scope/system")], NOWHERE)
    assert (found.kind, found.id, found.places) == (OwnerKind.UNIT, "slurmstepd.scope", ())
