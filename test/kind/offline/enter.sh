#!/usr/bin/env bash
# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# enter.sh COMMAND...: runs a command where the offline cluster's API server can be reached, with kubectl on the PATH.
#
#   KEEP=1 make e2e-offline
#   test/kind/offline/enter.sh kubectl get pods -A
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

[ -e "/run/netns/$NETNS" ] || die "there is no offline cluster: KEEP=1 make e2e-offline makes one and keeps it"
export KUBECONFIG=${KUBECONFIG:-$STATE/kubeconfig}
kubernetes=$(cd "$ROOT" && go run ./test/apiserver/build kubectl)
PATH=$kubernetes:$PATH exec nsenter --net="/run/netns/$NETNS" "$@"
