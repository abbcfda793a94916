"""The names in the kubelet's log directories: parsed exactly, listed again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.sources.pod_logs import (
    LoggedContainer,
    LoggedPod,
    PodLogs,
    folded,
    is_label,
    is_pod_name,
    parse_directory,
    parse_link,
)
from bongsu.sources.root import Root

UID = "0a1b2c3d-0000-4000-8000-00000000000a"
ID = "4f" * 32


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def log(root: Path, namespace: str, pod: str, uid: str, container: str, identity: str) -> None:
    """What the kubelet makes for one container."""
    directory = root / f"var/log/pods/{namespace}_{pod}_{uid}/{container}"
    directory.mkdir(parents=True)
    links = root / "var/log/containers"
    links.mkdir(exist_ok=True)
    (links / f"{pod}_{namespace}_{container}-{identity}.log").symlink_to(
        f"/var/log/pods/{namespace}_{pod}_{uid}/{container}/0.log"
    )


@pytest.mark.parametrize(
    ("name", "pod"),
    [
        (f"shop_web-0_{UID}", LoggedPod("shop", "web-0", UID)),
        ("kube-system_etcd-node1.example.org_" + "9a" * 16, LoggedPod("kube-system", "etcd-node1.example.org", "9a" * 16)),
        (UID, None), (f"a_b_c_{UID}", None), (f"_web_{UID}", None), (f"Shop_web_{UID}", None), (f"sh.op_web_{UID}", None),
        ("shop_web_", None), ("shop_web_../x", None), (f"shop_-web_{UID}", None), (f"shop_web._{UID}", None),
        (f"shop_{'w' * 64}_{UID}", None), (f"shop_{'w.' * 126 + 'ww'}_{UID}", None), (f"shop_web\n_{UID}", None),
        (f"shop_web_{UID}\n", None),
    ],
)  # fmt: skip
def test_a_directory_is_a_pod_or_nothing(name: str, pod: LoggedPod | None) -> None:
    """Three parts, each of which can be what it stands for; else the directory tells nothing."""
    assert parse_directory(name) == pod


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (f"web-0_shop_app-1-{ID}.log", ("web-0", "shop", "app-1", ID)),
        (f"web-0_shop_app-{ID}", None), (f"web-0_shop_app-{ID}.log.1", None), ("web-0_shop_app.log", None),
        (f"web-0_shop_-{ID}.log", None), (f"web_0_shop_app-{ID}.log", None), ("web-0_shop_app-4f4f.log", None),
        (f"web-0_shop_app-{ID.upper()}.log", None), (".log", None),
    ],
)  # fmt: skip
def test_a_link_is_a_container_or_nothing(name: str, parts: tuple[str, ...] | None) -> None:
    """The container's name may hold "-"; the id is what follows the last one."""
    assert parse_link(name) == parts


@given(st.text(max_size=300))
def test_any_name_is_parsed_or_passed_over(name: str) -> None:
    """No name breaks the parsers, and what they give can stand in Kubernetes."""
    for pod in (parse_directory(name), parse_directory(f"shop_{name}_{UID}")):
        assert pod is None or (is_label(pod.namespace) and is_pod_name(pod.name))
    parse_link(name)
    parse_link(f"{name}_shop_app-{ID}.log")
    assert folded(folded(name)) == folded(name)


def test_pods_and_containers_are_found(tmp_path: Path) -> None:
    """A UID is found in each way of writing it; a container by its id, with its pod's UID from where the link leads."""
    log(tmp_path, "shop", "web-0", UID, "app", ID)
    logs = PodLogs(Root(str(tmp_path)))
    pod = LoggedPod("shop", "web-0", UID)
    assert [logs.pod(uid) for uid in (UID, UID.replace("-", "_"), UID.replace("-", ""))] == [pod] * 3
    assert logs.container(ID) == LoggedContainer(pod, "app")
    assert logs.pod("0" * 32) is None
    assert logs.container(ID[:-1]) is None


def test_links_that_lead_elsewhere_are_not_believed(tmp_path: Path) -> None:
    """A link whose name and target tell of different pods or containers tells nothing."""
    links = tmp_path / "var/log/containers"
    links.mkdir(parents=True)
    for number, target in enumerate((f"shop_web-1_{UID}/app/0.log", f"shop_web-0_{UID}/db/0.log", "0.log", "a/b/c")):
        identity = f"{number}" * 64
        (links / f"web-0_shop_app-{identity}.log").symlink_to(f"/var/log/pods/{target}")
        assert PodLogs(Root(str(tmp_path))).container(identity) is None


def test_names_that_are_there_twice_name_nobody(tmp_path: Path) -> None:
    """Two pods with one UID, or two links with one container id: neither is believed."""
    log(tmp_path, "shop", "web-0", UID, "app", ID)
    log(tmp_path, "shop", "web-1", UID, "app", ID)
    logs = PodLogs(Root(str(tmp_path)))
    assert logs.pod(UID) is None
    assert logs.container(ID) is None


def test_new_names_are_seen_and_old_ones_forgotten(tmp_path: Path) -> None:
    """The directories are listed again when they change, at most once a second."""
    clock = Clock()
    logs = PodLogs(Root(str(tmp_path)), clock=clock)
    assert logs.pod(UID) is None
    troubles = [logs.trouble]
    log(tmp_path, "shop", "web-0", UID, "app", ID)
    assert logs.pod(UID) is None
    clock.now += 1.1
    assert logs.pod(UID) == LoggedPod("shop", "web-0", UID)
    troubles.append(logs.trouble)
    assert [type(trouble) for trouble in troubles] == [FileNotFoundError, type(None)]
    os.rename(tmp_path / f"var/log/pods/shop_web-0_{UID}", tmp_path / "var/log/pods/shop_web-0_other")
    clock.now += 1.1
    assert logs.pod(UID) is None
    assert logs.pod("other") == LoggedPod("shop", "web-0", "other")


@pytest.mark.needs_root
def test_a_directory_of_another_user_is_not_believed(tmp_path: Path) -> None:
    """Names that somebody else than the root directory's owner could have made tell nothing, and that is said."""
    log(tmp_path, "shop", "web-0", UID, "app", ID)
    os.chown(tmp_path / "var/log/pods", 1000, 1000)
    logs = PodLogs(Root(str(tmp_path)))
    assert logs.pod(UID) is None
    assert "another user" in str(logs.trouble)
