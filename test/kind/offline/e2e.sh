#!/usr/bin/env bash
# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# e2e.sh: test/kind/e2e.sh on a Debian machine that reaches Debian's packages and a Go module proxy, and no image registry.
# KEEP=1 leaves the cluster and its engine there: enter.sh gets at it, engine.sh stop ends it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

here=$ROOT/test/kind/offline
mkdir -p "$STATE"
exec 9>"$STATE/lock"
flock --nonblock 9 || die "another run is under way, and there is one cluster"
step engine "$here/engine.sh" start 9>&- # the engine may stay, the lock not
[ -n "${KEEP:-}" ] || trap '"$here/engine.sh" stop' EXIT
docker image prune --force >/dev/null # former builds of the images

images=$(step "node image" "$here/node-image.sh")
export NODE_IMAGE=${images% *} BASE_IMAGE=${images#* }
# The enforcer's own tests, with packets: they need root and nft, which the cluster's node has and this machine may not,
# and a control plane.
install_missing nft nftables
step "control plane" make -C "$ROOT" control-plane >/dev/null
step "tests of the enforcer" go test -C "$ROOT" ./test/kind/enforcer

export CLUSTER_CONFIG=$here/cluster.yaml ENFORCER=$ROOT/test/kind/enforcer/enforcer.yaml ENTER="nsenter --net=/run/netns/$NETNS"
export KEPT="To use it: test/kind/offline/enter.sh bash; to end it: test/kind/offline/engine.sh stop"
"$ROOT/test/kind/e2e.sh"
