#!/usr/bin/env bash
# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# enter.sh COMMAND...: runs a command where the offline cluster's API server can be reached, with kubectl and kind on the
# PATH, KUBECONFIG set to the cluster and DOCKER_HOST to its engine.
#
#   KEEP=1 make e2e-offline
#   test/kind/offline/enter.sh kubectl get pods -A
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

[ -e "/run/netns/$NETNS" ] || die "there is no offline cluster: KEEP=1 make e2e-offline makes one and keeps it"
export KUBECONFIG=$STATE/kubeconfig
kubernetes=$(cd "$ROOT" && go run ./test/apiserver/build kubectl)
kind=$(cd "$ROOT" && go tool -modfile=go.tools.mod -n kind)
PATH=$kubernetes:${kind%/*}:$PATH exec nsenter --net="/run/netns/$NETNS" "$@"
