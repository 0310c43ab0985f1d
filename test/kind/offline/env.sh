# shellcheck shell=bash
# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# What the steps beside this file share; they source it. It defines names and does nothing.

export CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/fqdn-egress
export STATE=$CACHE/run

# The engine's network namespace: it has no link to the machine's own, so whatever a container sends stays inside.
export NETNS=fqdn-egress

export DOCKER_HOST=unix://$STATE/docker.sock
export DOCKER_BUILDKIT=0 # the classic builder needs no plugin, and nothing from a registry

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
export ROOT

say() { echo "offline: $*" >&2; }
die() { say "$*"; exit 1; }

# step NAME COMMAND... says how long the command took.
step() {
	local name=$1 start=$SECONDS
	shift
	"$@"
	say "$name: $((SECONDS - start)) s"
}

# install_missing COMMAND PACKAGE installs a Debian package unless its command is there.
install_missing() {
	command -v "$1" >/dev/null && return
	say "installing $2"
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2"; } >"$STATE/apt.log" 2>&1 ||
		die "apt-get install $2 failed, see $STATE/apt.log"
}
