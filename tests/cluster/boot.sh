#!/bin/sh
# Becomes PID 1 of a node. boot.sh 1|2 NODE_DIRECTORY, which holds ./env.
# Stage 1 joins the node's cgroups and leaves the cgroup namespace, so that the node sees them as its roots.
# Stage 2 makes the root file system, /proc, /sys, /dev, /run and the cgroup mounts, and hands over to systemd.
set -e
stage=$1 node=$2
. "$node/env"
if [ "$stage" = 1 ]; then
  for directory in $CGROUPS; do echo 0 >"$directory/cgroup.procs"; done
  exec unshare --cgroup sh "$0" 2 "$node"
fi

bind() { # bind FROM TO: read-only below the new root
  mkdir -p "$2"
  mount --bind "$1" "$2"
  mount -o remount,bind,ro "$2"
}

mount --make-rprivate /
mount -t overlay "cluster-$NAME" -o "lowerdir=$LOWER,upperdir=$node/up,workdir=$node/work" "$node/root"
cd "$node/root"
bind "$REPOSITORY" srv/apt
bind "$SOURCE" srv/bongsu
bind "$PACKAGES" srv/packages
hostname "$NAME"
mount -t proc -o nosuid,nodev,noexec proc proc
mount --bind proc/sys proc/sys # sysctls of the whole machine are read-only, those of the network (namespaced) are not
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
cat proc/sys/kernel/random/uuid >"$node/boot_id"
mount --bind "$node/boot_id" proc/sys/kernel/random/boot_id
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs sys
mount -t tmpfs -o nosuid,mode=755,size=4m tmpfs dev
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 fuse:10:229; do
  IFS=:
  # shellcheck disable=SC2086  three words
  set -- $device
  unset IFS
  mknod -m 666 "dev/$1" c "$2" "$3"
done
mkdir dev/pts dev/shm dev/mqueue dev/net
mknod -m 666 dev/net/tun c 10 200
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs dev/shm
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs run
mkdir run/sshd run/lock
for store in containers containerd; do # an overlay cannot lie on the upper tree of an overlay
  mkdir -p "var/lib/$store"
  mount -t tmpfs -o mode=755 tmpfs "var/lib/$store"
done
if [ "$MODE" = v2 ]; then
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
else
  mount -t tmpfs -o nosuid,nodev,noexec,mode=755 tmpfs sys/fs/cgroup
  for controllers in $CONTROLLERS; do
    mkdir "sys/fs/cgroup/$controllers"
    mount -t cgroup -o "nosuid,nodev,noexec,$controllers" cgroup "sys/fs/cgroup/$controllers"
  done
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o nosuid,nodev,noexec,none,name=systemd cgroup sys/fs/cgroup/systemd
fi
mkdir run/.old
pivot_root . run/.old
cd /
umount -l /run/.old
rmdir /run/.old
# the clock, the modules and the disks of the machine are not the node's
exec setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-syslog,-mac_admin,-mac_override \
  env -i container=bongsu-test PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=linux \
  /lib/systemd/systemd --system systemd.log_target=journal </dev/null >/dev/null 2>&1
