#!/bin/sh
# Unpacks (never installs) the Prometheus of Debian unstable below .cache/prometheus, where tests/prometheus.py finds it:
# Debian 12's own is 2.42, whose ranges are closed on the left, and PromQL here is 3.x. Needs no root. Once it is there,
# nothing is fetched. Where it cannot be had this says why and ends with 0: tests then compare with the installed one.
set -eu
cd "$(dirname "$0")/.."
target=$PWD/.cache/prometheus
[ -x "$target/usr/bin/prometheus" ] && exit 0

give_up() {
  echo "no newer Prometheus: $1 (tests compare with the installed one, at times where the two agree)" >&2
  exit 0
}

command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || give_up "apt-get or dpkg-deb is missing"
# The mirror that this machine takes Debian's main archive from: the host whose suite is the running release.
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-none}")
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 2>/dev/null | sed -n "s/ $release\$//p" | head -n 1)
[ -n "$mirror" ] || give_up "apt here knows no mirror of Debian"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || give_up "$keyring is missing"

work=$target.part
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/download"
trap 'rm -rf "$work"' EXIT
echo "deb [signed-by=$keyring] $mirror sid main" >"$work/sources.list"
: >"$work/status"
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State="$work" -o Dir::State::Lists="$work/lists" -o Dir::State::status="$work/status" \
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none \
    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
    -o Acquire::Retries=2 "$@"
}
apt update >"$work/said" 2>&1 || give_up "apt-get update: $(tail -n 1 "$work/said")"
(cd "$work/download" && apt download prometheus) >"$work/said" 2>&1 ||
  give_up "apt-get download: $(tail -n 1 "$work/said")"
dpkg-deb -x "$work"/download/prometheus_*.deb "$work/unpacked" || give_up "the package cannot be unpacked"
"$work/unpacked/usr/bin/prometheus" --version >"$work/said" 2>&1 || give_up "it does not run here: $(tail -n 1 "$work/said")"
mkdir -p "$target/usr/bin"
mv "$work/unpacked/usr/bin/prometheus" "$target/usr/bin/prometheus"
head -n 1 "$work/said"
