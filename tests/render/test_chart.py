"""The chart, rendered by a real Helm: each manifest fits the schemas of Kubernetes, and wrong values are refused in words."""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import kubernetes_validate  # type: ignore[import-untyped]  # it says nothing of its types
import pytest
import yaml

import bongsu.render
from bongsu.sinks import web_config
from helm import Helm, Refused

CHART = Path(bongsu.render.__file__).parent / "chart"
RELEASES = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
MODES: dict[str, dict[str, Any]] = {
    "daemonset": {}, "textfile": {"mode": "textfile"}, "cronjob": {"mode": "cronjob", "nodes": ["gpu-1", "gpu-2.example"]}
}  # fmt: skip
# Each is laid over each mode.
MORE: dict[str, dict[str, Any]] = {
    "plain": {},
    "document": {
        "gpu": {"count": 4, "devices": [0, 1, 2, 3]},
        "collection": {"schedule": "*/1 * * * *", "resources": {"limits": {"cpu": "100m", "memory": "64Mi"}}},
    },
    "interval": {"collection": {"interval": "2m"}, "gpu": {"devices": ["GPU-8f6e2b1c-0000-4000-8000-000000000001", 3]}},
    "nobody": {"permissions": {"kubelet": False}, "textfile": {"user": 998}},
    "no logs": {"permissions": {"podLogs": False, "rootfs": True}},
    "host network": {"hostNetwork": True, "networkPolicy": {"enabled": False}},
    "mig": {"gpu": {"mig": True, "runtimeClassName": ""}, "permissions": {"processIo": True, "rootfs": False}},
    "cdi": {"gpu": {"access": "cdi"}, "podAnnotations": {"a.example/b": "c"}, "podLabels": {"team": "ml"}},
    "no gpu": {"gpu": {"access": "none"}, "nodeSelector": {"nvidia.com/gpu.present": None}, "tolerations": []},
    "much": {
        "fullnameOverride": "gpu-readings", "image": {"repository": "registry.example/bongsu", "tag": "7", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "pull"}], "priorityClassName": "system-node-critical", "seLinuxOptions": {"type": "spc_t"},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]}}},
        "updateStrategy": {"type": "OnDelete", "rollingUpdate": None}, "port": 9500, "address": "::",
        "service": {"annotations": {"prometheus.io/scrape": "true"}}, "settings": {"log_level": "debug", "deadline": 5},
        "networkPolicy": {"from": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}]},
        "auth": {"username": "p", "password": "secret"}, "kubelet": {"directory": "/var/lib/k0s/kubelet"},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helm]:
    """One Helm for all tests here; its start takes a second."""
    with Helm(tmp_path_factory.mktemp("home")) as one:
        yield one


@pytest.fixture(scope="module")
def with_hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with its hooks as ordinary manifests, since `template` of this Helm leaves hooks out."""
    place = tmp_path_factory.mktemp("hooks") / "bongsu"
    shutil.copytree(CHART, place)
    for path in (place / "templates").iterdir():
        path.write_text(re.sub(r"helm\.sh/(hook[a-z-]*)", r"hook.example/\1", path.read_text()))
    return place


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = _merged(one[key], other[key])
    return both


def kind(manifests: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The one manifest of a kind."""
    (found,) = (each for each in manifests if each["kind"] == name)
    return found


def pods(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The specs of all pods in them."""
    found = []
    for each in manifests:
        spec = each.get("spec", {})
        if each["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            found.append(spec["template"]["spec"])
    return found


def settings(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """bongsu.yaml in the ConfigMap."""
    return dict(yaml.safe_load(kind(manifests, "ConfigMap")["data"]["bongsu.yaml"]))


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("mode", MODES)
def test_every_manifest_fits_the_schemas_of_kubernetes(helm: Helm, with_hooks: Path, mode: str, release: str) -> None:
    """Rendered for that release, with each set of values, strictly: no field that it does not know."""
    for name, more in MORE.items():
        values = _merged(MODES[mode], more)
        manifests = helm.template(with_hooks, values, version=f"v{release}.0")
        kinds = [each["kind"] for each in manifests]
        expected = {
            "daemonset": {"DaemonSet", "Service", "Secret"},
            "textfile": {"DaemonSet"},
            "cronjob": {"CronJob", "Job"},
        }
        assert set(kinds) - {"NetworkPolicy"} == {"ServiceAccount", "ConfigMap", *expected[mode]}, name
        assert ("NetworkPolicy" in kinds) == (name != "host network")
        for each in manifests:
            kubernetes_validate.validate(each, release, strict=True)
            assert each["metadata"]["namespace"] == "monitoring"
            # 63 for a label; a CronJob's pods get 11 and 5 more characters
            assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?", each["metadata"]["name"]), name


@pytest.mark.parametrize(("mode", "more"), list(itertools.product(MODES, MORE)))
def test_lint_finds_nothing(helm: Helm, mode: str, more: str) -> None:
    """`helm lint --strict` passes for each mode with each set of values."""
    said = json.loads(helm.lint(CHART, _merged(MODES[mode], MORE[more])))
    assert said["passed"]
    assert [each["message"] for each in said["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize(("mode", "more"), list(itertools.product(MODES, MORE)))
def test_no_pod_has_more_rights_than_it_needs(helm: Helm, with_hooks: Path, mode: str, more: str) -> None:
    """No privilege, no token, no writable mount but the textfile's; capabilities only where a value asks for one."""
    values = _merged(MODES[mode], MORE[more])
    for pod in pods(helm.template(with_hooks, values)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert (context["privileged"], context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (
            False,
            False,
            True,
        )
        asked = {"SYS_ADMIN", "SYS_PTRACE"} if more == "mig" and container["name"] == "bongsu" else set()
        assert context["capabilities"]["drop"] == ["ALL"]
        assert set(context["capabilities"].get("add", ())) == asked
        assert context["runAsNonRoot"] == (context["runAsUser"] != 0)
        writable = {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable == (set() if mode == "daemonset" else {"textfile"})
        assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
        paths = {v["name"]: v["hostPath"]["path"] for v in pod["volumes"] if "hostPath" in v}
        assert ("/" in paths.values()) == ("root" in paths)
        if context["runAsUser"] == 0 and more != "no logs":
            assert "root" not in paths, "user 0 could read every file of root's"
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_who_it_runs_as_follows_from_what_it_reads(helm: Helm) -> None:
    """Root for the kubelet's sockets or another's directory, else a user of nobody's, who then sees the root file system."""

    def user(**values: Any) -> tuple[int, bool]:
        (pod,) = pods(helm.template(CHART, values))
        mounts = {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
        return pod["containers"][0]["securityContext"]["runAsUser"], "/host/root" in mounts

    assert user() == (0, False)
    assert user(permissions={"kubelet": False}) == (65532, True)
    assert user(permissions={"kubelet": False, "processIo": True}) == (0, False)
    assert user(mode="textfile", permissions={"kubelet": False}) == (0, False)
    assert user(mode="textfile", permissions={"kubelet": False}, textfile={"user": 998}) == (998, True)


def test_the_documents_values_mean_what_they_say(helm: Helm) -> None:
    """GPUs to read, GPUs to expect, how often, resources below collection as there, or at the top."""
    document = yaml.safe_load("""
collection:
  schedule: "*/2 * * * *"
  resources: {limits: {cpu: 200m, memory: 64Mi}}
gpu: {count: 4, devices: [0, 1, 2, 3]}
""")
    for mode in ("daemonset", "textfile"):
        manifests = helm.template(CHART, {"mode": mode, **document})
        assert settings(manifests)["interval"] == "2m"
        assert settings(manifests)["collectors"]["gpu"] == {"count": 4, "devices": "0,1,2,3"}
        assert settings(manifests)["collectors"]["gpu_process"] == {"devices": "0,1,2,3"}
        (pod,) = pods(manifests)
        assert pod["containers"][0]["resources"]["limits"] == {"cpu": "200m", "memory": "64Mi"}
    manifests = helm.template(CHART, {**MODES["cronjob"], **document})
    jobs = [each for each in manifests if each["kind"] == "CronJob"]
    assert [each["spec"]["schedule"] for each in jobs] == ["*/2 * * * *"] * 2
    (pod,) = pods(helm.template(CHART, {"resources": {"limits": {"memory": "1Gi"}}}))
    assert pod["containers"][0]["resources"]["limits"] == {"cpu": "100m", "memory": "1Gi"}
    assert "gpu" not in settings(helm.template(CHART, {})).get("collectors", {})


def test_each_node_has_a_cronjob_of_its_own(helm: Helm, with_hooks: Path) -> None:
    """One for each node, on that node alone, never two at a time, and one that removes its file; names never meet."""
    nodes = ["a" * 60 + ".x.example", "a" * 60 + ".y.example", "gpu-1"]
    manifests = helm.template(with_hooks, {"mode": "cronjob", "nodes": nodes})
    for name in ("CronJob", "Job"):
        found = [each for each in manifests if each["kind"] == name]
        places = []
        for pod in pods(found):
            (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
                "nodeSelectorTerms"
            ]
            assert "matchExpressions" not in term
            (field,) = term["matchFields"]
            assert (field["key"], field["operator"]) == ("metadata.name", "In")
            places += field["values"]
            assert "nodeSelector" not in pod
        assert places == nodes
        assert len({each["metadata"]["name"] for each in found}) == len(nodes)
    assert {each["spec"]["concurrencyPolicy"] for each in manifests if each["kind"] == "CronJob"} == {"Forbid"}
    source = (CHART / "templates" / "cronjob.yaml").read_text()
    assert "helm.sh/hook: post-delete" in source


def test_releases_beside_one_another_share_no_name(helm: Helm, with_hooks: Path) -> None:
    """Releases whose long names differ at the end, on one node: no manifest is both's, and no name is too long."""
    names: list[tuple[str, str]] = []
    for release in (
        "a-release-whose-name-is-as-long-as-helm-lets-it-be-1",
        "a-release-whose-name-is-as-long-as-helm-lets-it-be-2",
    ):
        manifests = helm.template(with_hooks, {"mode": "cronjob", "nodes": ["a" * 63]}, release=release)
        names += [(each["kind"], each["metadata"]["name"]) for each in manifests]
    assert len(set(names)) == len(names)
    assert max(len(name) for kind, name in names) <= 55  # 52 for a CronJob, and its Job's three more


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"mode": "sidecar"}, "at '/mode': value must be one of 'daemonset', 'textfile', 'cronjob'"),
        ({"gpus": {}}, "additional properties 'gpus' not allowed"),
        ({"gpu": {"devices": ["first"]}}, "at '/gpu/devices/0'"),
        ({"gpu": {"devices": "0,1"}}, "at '/gpu/devices': got string, want array"),
        ({"gpu": {"count": -1}}, "at '/gpu/count': minimum: got -1, want 0"),
        ({"gpu": {"access": "none", "count": 4}}, "gpu.access: none reads no GPU"),
        ({"collection": {"interval": "often"}}, "at '/collection/interval'"),
        ({"collection": {"schedule": "hourly"}}, "at '/collection/schedule'"),
        ({"collection": {"schedule": "*/2 * * * *", "interval": "2m"}}, "contradict each other"),
        ({"collection": {"schedule": "0 3 * * *"}}, 'collection.schedule: "0 3 * * *" is no even spacing'),
        ({"mode": "cronjob", "nodes": ["a"], "collection": {"interval": "7m"}}, 'collection.interval: "7m" cannot be said'),
        ({"mode": "cronjob", "nodes": ["a"], "collection": {"interval": "15s"}}, 'collection.interval: "15s" cannot be said'),
        ({"mode": "cronjob"}, "mode cronjob makes one CronJob for each node, and found none"),
        ({"resources": {"limit": {}}}, "additional properties 'limit' not allowed"),
        ({"port": 80}, "at '/port': minimum: got 80, want 1,024"),
        ({"auth": {"username": "a:b"}}, "at '/auth/username'"),
        ({"auth": {"tls": True}}, "auth.tls: the Secret that the chart makes has no certificate"),
        ({"textfile": {"name": "x; reboot.prom"}}, "at '/textfile/name'"),
        ({"textfile": {"directory": "tmp"}}, "at '/textfile/directory'"),
        ({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}, "scraped twice"),
        ({"mode": "textfile", "podMonitor": {"enabled": True}}, "nothing is served that could be scraped"),
        ({"permissions": {"rootfs": "yes"}}, "at '/permissions/rootfs'"),
        ({"image": {"repository": "registry.example:5000/bongsu:1"}}, "at '/image/repository'"),
        ({"image": {"repository": f"bongsu@sha256:{'0' * 64}"}}, "at '/image/repository'"),
        ({"resources": {"limits": {"memory": "lots"}}}, "at '/resources/limits/memory'"),
        ({"collection": {"interval": "0s"}}, "at '/collection/interval'"),
        ({"collection": {"schedule": "*/90 * * * *"}}, 'collection.schedule: "*/90 * * * *" is no even spacing'),
        ({"mode": "cronjob", "nodes": ["Bad Name"]}, "at '/nodes/0'"),
        ({"nodes": ["gpu-1"]}, "nodes: only mode cronjob goes by names"),
        ({"fullnameOverride": "Bad_Name"}, "at '/fullnameOverride'"),
        ({"podLabels": {"app.kubernetes.io/instance": "x"}}, "podLabels: app.kubernetes.io/instance is what the pods are found by"),
        ({"mode": "textfile", "textfile": {"user": 998}}, "textfile.user: permissions.kubelet, permissions.processIo and gpu.mig need user 0"),
        ({"auth": {"existingSecret": "mine", "password": "secret"}}, "auth.password: the users are those in the web.yml"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_in_words(helm: Helm, values: dict[str, Any], says: str) -> None:
    """Helm names the value and what is allowed; nothing is rendered."""
    with pytest.raises(Refused) as caught:
        helm.template(CHART, values)
    assert says in str(caught.value)


def test_the_password_is_what_the_agent_asks_for(helm: Helm, tmp_path: Path) -> None:
    """The web config in the Secret is one that Bongsu loads, and lets in who shows the user and password beside it."""
    for given in ({}, {"auth": {"username": "p", "password": "pass: #word"}}):
        secret = kind(helm.template(CHART, given), "Secret")["stringData"]
        path = tmp_path / "web.yml"
        path.write_text(secret["web.yml"])
        found = web_config.load(str(path))
        assert found.authenticates
        credential = base64.b64encode(f"{secret['username']}:{secret['password']}".encode()).decode()
        assert found.permits(f"Basic {credential}")
        assert not found.permits(None)
        (hashed,) = yaml.safe_load(secret["web.yml"])["basic_auth_users"].values()
        assert bcrypt.checkpw(secret["password"].encode(), hashed.encode())
    first, second = (kind(helm.template(CHART, {}), "Secret")["stringData"]["password"] for _ in range(2))
    assert first != second
    assert len(first) >= 32


def test_another_password_begins_the_pods_anew(helm: Helm, tmp_path: Path) -> None:
    """The pods carry a checksum of user and password: what is the same keeps them, also where another salt is drawn each time."""
    chart = tmp_path / "bongsu"
    shutil.copytree(CHART, chart)
    names = chart / "templates" / "_names.tpl"
    looked_up = 'lookup "v1" "Secret" .Release.Namespace (include "bongsu.secret" .)'
    assert looked_up in names.read_text()
    names.write_text(names.read_text().replace(looked_up, ".Values.global.there"))

    def rendered(auth: dict[str, str], there: dict[str, str] | None) -> tuple[dict[str, str], str]:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in (there or {}).items()}
        manifests = helm.template(chart, {"auth": auth, "global": {"there": {"data": data} if there else None}})
        template = kind(manifests, "DaemonSet")["spec"]["template"]
        return kind(manifests, "Secret")["stringData"], template["metadata"]["annotations"]["checksum/web"]

    secret, first = rendered({}, None)
    assert rendered({}, secret) == (secret, first)
    assert rendered({"password": secret["password"]}, secret) == (secret, first)
    without_cluster, again = rendered({"password": secret["password"]}, None)
    assert without_cluster["web.yml"] != secret["web.yml"]
    assert again == first
    for auth in ({"password": "another"}, {"username": "another"}, {}):
        changed, second = rendered(auth, secret if auth else None)
        assert second != first
        assert changed["web.yml"] != secret["web.yml"]


def test_an_existing_secret_is_used_alone(helm: Helm) -> None:
    """With auth.existingSecret the chart makes none, and the pod and monitors name that one."""
    manifests = helm.template(
        CHART, {"auth": {"existingSecret": "mine", "tls": True}, "serviceMonitor": {"enabled": True}}
    )
    assert "Secret" not in {each["kind"] for each in manifests}
    (pod,) = pods(manifests)
    assert {"secretName": "mine", "defaultMode": 0o400} in [each.get("secret") for each in pod["volumes"]]
    assert "checksum/web" not in kind(manifests, "DaemonSet")["spec"]["template"]["metadata"]["annotations"]
    assert "HTTPSConnection" in pod["containers"][0]["livenessProbe"]["exec"]["command"][2]
    (endpoint,) = kind(manifests, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"
    assert endpoint["basicAuth"]["password"] == {"name": "mine", "key": "password"}


@pytest.mark.parametrize(
    ("name", "endpoints"), [("serviceMonitor", "endpoints"), ("podMonitor", "podMetricsEndpoints")]
)
def test_monitors_find_the_pods(helm: Helm, name: str, endpoints: str) -> None:
    """A monitor has the fields that its kind knows, selects what is there by labels and port, and shows the password."""
    manifests = helm.template(CHART, {name: {"enabled": True, "interval": "30s", "labels": {"release": "prometheus"}}})
    monitor = kind(manifests, name[0].upper() + name[1:])
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"].keys() == {"selector", endpoints}
    (endpoint,) = monitor["spec"][endpoints]
    assert endpoint.keys() == {"port", "honorLabels", "interval", "basicAuth", "relabelings"}
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    target = (
        kind(manifests, "Service") if name == "serviceMonitor" else kind(manifests, "DaemonSet")["spec"]["template"]
    )
    assert wanted <= target["metadata"]["labels"].items()
    (pod,) = pods(manifests)
    assert endpoint["port"] in {each["name"] for each in pod["containers"][0]["ports"]}
    assert kind(manifests, "Service")["spec"]["ports"][0]["name"] == endpoint["port"]
    secret = kind(manifests, "Secret")
    for key, chosen in endpoint["basicAuth"].items():
        assert (chosen["name"], chosen["key"]) == (secret["metadata"]["name"], key)
        assert chosen["key"] in secret["stringData"]


def test_labels_select_what_they_should(helm: Helm) -> None:
    """Service, NetworkPolicy and DaemonSet select the pods by labels that these have, and that no version changes."""
    manifests = helm.template(CHART, {})
    daemonset = kind(manifests, "DaemonSet")
    labels = daemonset["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        daemonset["spec"]["selector"]["matchLabels"], kind(manifests, "Service")["spec"]["selector"],
        kind(manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]  # fmt: skip
    for each in selectors:
        assert each.items() <= labels
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & each.keys()


def test_older_clusters_get_no_field_that_they_do_not_know(helm: Helm) -> None:
    """Mounts that are read-only throughout came with 1.31, the Pods API with 1.36, AppArmor as a field with 1.30."""
    values = {"permissions": {"processIo": True}}
    old, new = (
        yaml.safe_dump_all(helm.template(CHART, values, version=each)) for each in ("v1.29.3", "v1.36.1-gke.100")
    )
    for word in ("recursiveReadOnly", "pods-api", "appArmorProfile"):
        assert word not in old
        assert word in new


def test_the_page_shows_values_that_the_chart_takes(helm: Helm) -> None:
    """Each YAML block and each --set of docs/kubernetes.md renders; each value and mount that its table names exists."""
    text = (Path(__file__).parents[2] / "docs" / "kubernetes.md").read_text()
    blocks = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    given = [dict_of(key, value) for key, value in re.findall(r"--set ([A-Za-z.]+)=([\w./]*)", text)]
    assert len(blocks) >= 3
    assert len(given) >= 5
    for each in (*blocks, *given):
        helm.template(CHART, each)
    mounts = {m["mountPath"] for pod in pods(helm.template(CHART, {})) for m in pod["containers"][0]["volumeMounts"]}
    table = text[text.index("## What each permission") : text.index("\n- Root may")]
    for path in mounts - {"/config", "/auth", "/host/proc", "/host/sys"}:
        assert f"`{path}`" in table
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in values["permissions"]:
        assert f"permissions.{name}" in table


def dict_of(key: str, value: str) -> dict[str, Any]:
    """What `helm --set key=value` means."""
    found: Any = {"true": True, "false": False}.get(value, value)
    for word in reversed(key.split(".")):
        found = {word: found}
    return dict(found)
