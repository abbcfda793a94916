#!/bin/sh
# Installs the Debian packages of requirements/debian.txt that are missing, without starting their services.
# Without root, or where there is no apt-get, it says what is missing; the tests that need it are then skipped.
set -eu
list=$(dirname "$0")/../requirements/debian.txt
missing=
while read -r package program; do
  case "$package" in "" | "#"*) continue ;; esac
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null 2>&1 || missing="$missing $package"
done <"$list"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "not installed:$missing (the tests that need them are skipped; as root: apt-get install$missing)" >&2
  exit 0
fi
policy=/usr/sbin/policy-rc.d # invoke-rc.d(8): 101 means that the service may not be started
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
