# Gives a container's process a root of its own in a new mount namespace, then becomes that process.
# Usage: container-root.sh ROOT HOSTNAME ro|rw WORKDIR [SOURCE TARGET ro|rw]... -- COMMAND [ARGUMENT]...
# ROOT: an empty folder. The system's programs are those of this machine; /etc, /tmp, /run, /var are the container's.
set -e
root=$1 hostname=$2 rootmode=$3 workdir=$4
shift 4

hostname "$hostname"
mount -t tmpfs -o mode=755 container-root "$root"
for entry in bin sbin lib lib32 lib64 libx32 usr opt nix dev proc sys; do
  if [ -L "/$entry" ]; then
    cp -P "/$entry" "$root/$entry"
  elif [ -d "/$entry" ]; then
    mkdir "$root/$entry"
    mount --rbind "/$entry" "$root/$entry"
  fi
done
mkdir -p "$root/etc" "$root/root" "$root/run" "$root/var/tmp" "$root/tmp"
chmod 1777 "$root/tmp" "$root/var/tmp"
ln -s ../run "$root/var/run"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
for entry in passwd group ld.so.cache; do
  if [ -e "/etc/$entry" ]; then cp -L "/etc/$entry" "$root/etc/$entry"; fi
done

while [ "$1" != -- ]; do
  if [ -d "$1" ]; then
    mkdir -p "$root$2"
  else
    mkdir -p "$(dirname "$root$2")"
    : >"$root$2"
  fi
  mount --rbind "$1" "$root$2"
  if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
  shift 3
done
shift

if [ "$rootmode" = ro ]; then mount -o remount,bind,ro "$root"; fi
exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$workdir" "$@"
