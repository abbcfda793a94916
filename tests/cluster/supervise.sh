#!/bin/sh
# Keeps one node running: supervise.sh NODE_DIRECTORY, which holds ./env. Runs on the host, in the node's network.
# What a reboot does to the first process of a namespace is SIGHUP (reboot(2)): then the node is started again.
set -u
node=$1
. "$node/env"
here=$(dirname "$(readlink -f "$0")")
while :; do
  read -r up _ </proc/uptime
  offset=-$((${up%.*} - 1)) # a node's uptime begins when it boots
  setpriv --pdeathsig KILL nsenter --net="/run/netns/$NETWORK" \
    unshare --time --boottime "$offset" --monotonic "$offset" --mount --uts --ipc --pid --fork --kill-child=SIGKILL \
    sh "$here/boot.sh" 1 "$node"
  status=$?
  echo "the first process ended: $status"
  [ "$status" -eq 129 ] || exit "$status"
done
