#!/usr/bin/env bash
# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# install-node.sh VERSION: runs while the node image is built, and turns a minimal Debian into a kind node.
set -euo pipefail

files=/tmp/files
units=/etc/systemd/system

install -m755 "$files"/{entrypoint,nodedns} /usr/local/bin/
install -D -m644 "$files/config.toml" /etc/containerd/config.toml
install -D -m644 "$files/10-bridge.conflist" /etc/cni/net.d/10-bridge.conflist
install -D -m644 "$files/default-storage.yaml" /kind/manifests/default-storage.yaml
install -m644 "$files"/*.service "$units/"
mkdir -p /opt/cni /etc/kubernetes/manifests
ln -sfn /usr/lib/cni /opt/cni/bin
printf '%s' "$1" >/kind/version

# Nothing starts but what a node needs.
rm -rf "$units"/*.wants
rm -f /lib/systemd/system/*.target.wants/*udev* /lib/systemd/system/multi-user.target.wants/getty*
mkdir -p "$units/multi-user.target.wants"
ln -sfn "$units"/{kubelet,containerd}.service "$units/multi-user.target.wants/"
for protocol in UDP TCP; do
	ln -sfn "$units/nodedns@.service" "$units/multi-user.target.wants/nodedns@$protocol.service"
done
ln -sfn /lib/systemd/system/multi-user.target "$units/default.target"

# These would write to the kernel that the node shares with the machine.
for unit in systemd-binfmt systemd-sysctl systemd-modules-load systemd-random-seed kmod-static-nodes systemd-logind; do
	ln -sfn /dev/null "$units/$unit.service"
done
install -D -m644 /dev/stdin /etc/systemd/journald.conf.d/node.conf <<-'CONF'
	[Journal]
	ReadKMsg=no
	Storage=volatile
CONF
