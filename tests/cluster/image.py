"""The disk that all nodes start from, and the packages they can install: made by the host's apt, kept until an input changes."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from cluster.commands import ClusterError, run

# in every node
_INSTALLED = """
systemd systemd-sysv dbus dbus-user-session libpam-systemd openssh-server openssh-client openssh-sftp-server python3
iproute2 iputils-ping procps sudo ca-certificates rsync less kmod nftables netbase
podman crun runc containerd containernetworking-plugins busybox-static catatonit uidmap slirp4netns fuse-overlayfs docker.io systemd-container
"""
# To be installed in a node, from its own /srv/apt: nodes reach nothing outside.
_INSTALLABLE = "munge slurm-wlm slurm-client slurmdbd slurm-wlm-mysql-plugin mariadb-server"
_MASKED = """
apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service dpkg-db-backup.timer
systemd-tmpfiles-clean.timer getty@tty1.service console-getty.service systemd-modules-load.service
podman-auto-update.timer podman-auto-update.service podman-restart.service podman.socket podman.service
"""
_HOOK = r"""#!/bin/sh
set -eu
root=$1
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -y -q --no-install-recommends --download-only install @INSTALLABLE@ >&2
mv "$root"/var/cache/apt/archives/*.deb @REPOSITORY@/
rm -rf "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/ssh/ssh_host_*
echo 'deb [trusted=yes] file:/srv/apt ./' >"$root"/etc/apt/sources.list
printf 'APT::Install-Recommends "0";\nAcquire::Languages "none";\n' >"$root"/etc/apt/apt.conf.d/90cluster
echo force-unsafe-io >"$root"/etc/dpkg/dpkg.cfg.d/90cluster
: >"$root"/etc/resolv.conf
: >"$root"/etc/machine-id
sed -i 's/^hosts:.*/hosts: files/' "$root"/etc/nsswitch.conf
for unit in @MASKED@; do ln -sf /dev/null "$root"/etc/systemd/system/$unit; done
rm -f "$root"/etc/systemd/system/*.wants/containerd.service "$root"/etc/systemd/system/*.wants/docker.s*
cat >"$root"/etc/ssh/sshd_config.d/cluster.conf <<X
UseDNS no
PermitRootLogin prohibit-password
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys
MaxStartups 100:30:200
MaxSessions 100
X
mkdir -p "$root"/srv/apt "$root"/srv/bongsu "$root"/srv/packages
chroot "$root" useradd -m -u 2001 -s /bin/bash alice
chroot "$root" useradd -m -u 2002 -s /bin/bash bob
"""


class Image(NamedTuple):
    """Where the parts of a disk are."""

    base: Path  # a Debian tree
    repository: Path  # .deb files and their index
    key: str  # of what went into it


def image(state: Path) -> Image:
    """The disk for the nodes: the kept one, or a new one, which takes a minute and apt's network.

    Raises:
        ClusterError: apt knows no Debian archive, or the tree cannot be made.
    """
    release = _release()
    key = hashlib.sha256(repr((_INSTALLED, _INSTALLABLE, _MASKED, _HOOK, release)).encode()).hexdigest()[:12]
    kept = state / "images"
    place = kept / key
    made = Image(place / "base", place / "repository", key)
    if not place.is_dir():
        shutil.rmtree(kept, ignore_errors=True)  # of other inputs, or half made
        unfinished = kept / f"{key}.part"
        (unfinished / "repository").mkdir(parents=True)
        _make(unfinished, release)
        unfinished.rename(place)
    return made


def _release() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    raise ClusterError(
        "the nodes are made from this machine's own Debian archive, and /etc/os-release names no release"
    )


def _make(place: Path, release: str) -> None:
    sources = place / "sources.list"
    sources.write_text("".join(f"deb {line}\n" for line in _archives()))
    settings = place / "apt.conf"
    settings.write_text("\n".join(_apt_settings()) + "\n")
    hook = place / "hook.sh"
    text = _HOOK.replace("@INSTALLABLE@", _INSTALLABLE).replace("@MASKED@", " ".join(_MASKED.split()))
    hook.write_text(text.replace("@REPOSITORY@", shlex.quote(str(place / "repository"))))
    hook.chmod(0o755)
    log = place / "build.log"
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{kind}/*" for kind in ("doc", "man", "locale")]
    with log.open("wb") as output:
        status = subprocess.run(
            [
                "mmdebstrap", "--variant=minbase", "--format=directory", f"--include={','.join(_INSTALLED.split())}",
                f"--aptopt={settings}", "--dpkgopt=force-unsafe-io", *leave_out, f"--customize-hook={hook}",
                release, place / "base", sources,
            ],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, timeout=1200,
        ).returncode  # fmt: skip
    if status:
        raise ClusterError(f"mmdebstrap failed:\n{log.read_text(errors='replace')[-3000:]}")
    repository = place / "repository"
    (repository / "Packages").write_text(run("dpkg-scanpackages", "-m", ".", cwd=repository))
    repository.chmod(0o755)


def _archives() -> list[str]:
    """The Debian archives that the host's apt uses, as in sources.list(5)."""
    shape = "$(REPO_URI) $(RELEASE) $(COMPONENT)|$(ORIGIN)"
    listed = run("apt-get", "indextargets", "--format", shape, "Identifier: Packages").splitlines()
    found = [line.split("|")[0] for line in listed if line.endswith("|Debian")]
    if not found:
        run("apt-get", "update", "-qq", timeout=300)
        listed = run("apt-get", "indextargets", "--format", shape, "Identifier: Packages").splitlines()
        found = [line.split("|")[0] for line in listed if line.endswith("|Debian")]
    if not found:
        raise ClusterError("apt of this machine knows no Debian archive")
    return list(dict.fromkeys(found))


def _apt_settings() -> list[str]:
    """How the host's apt reaches its archives: proxies, retries."""
    kept = ("Acquire::http::", "Acquire::https::", "Acquire::Check-", "Acquire::Retries", "Acquire::ForceIPv")
    return [
        line for line in run("apt-config", "dump").splitlines() if line.startswith(kept) and not line.endswith('"";')
    ]
