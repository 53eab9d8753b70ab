#!/bin/sh
# Lays out the root of the image: image-root.sh FOLDER NODE BUNDLE
set -eu
root=$1 node=$2 bundle=$3

mkdir -p "$root/usr/local/bin" "$root/etc" "$root/sluice"
cp "$node" "$root/usr/local/bin/node"
cp -R "$bundle/." "$root/sluice/"

# ldd prints "name => path (address)" and, for the loader, "path (address)"; each keeps its path, links are followed.
ldd "$node" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

echo 'sluice:x:65532:65532::/sluice:/sbin/nologin' >"$root/etc/passwd"
echo 'sluice:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
# Owned by root, whoever runs it: nothing in the image can be changed by its user.
chmod -R u=rwX,go=rX "$root"
