#!/usr/bin/env bash
# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# e2e.sh: makes a kind cluster, installs config/default from this checkout, runs test/e2e against it and deletes the
# cluster. `make e2e` runs it as it is; `make e2e-offline` sets what follows.
#
#   KEEP=1          leave the cluster there, with what the tests put into it
#   RUN=REGEXP      the tests to run, as in go test -run
#   NODE_IMAGE      the image of the nodes; kind's own by default
#   BASE_IMAGE      what the image of the tests is built on; Debian's by default
#   CLUSTER_CONFIG  the kind configuration; cluster.yaml beside this file by default
#   ENFORCER        a manifest that enforces NetworkPolicy where the CNI does not
#   ENFORCER_FLAGS  its flags: '-sync=3s -reject' makes it as slow as some plugins are, and answer what it blocks
#   ENTER           a command before all that talks to the cluster over the network
#   KEPT            what to say of a cluster that is left there: how to use and how to end it
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/fqdn-egress
CLUSTER=fqdn-egress
TEST_IMAGE=fqdn-egress-e2e:dev
CONTROLLER_IMAGE=fqdn-egress-controller:dev
MAX_IMAGE_BYTES=60000000
export KUBECONFIG=$CACHE/run/kubeconfig # of its own: the user's stays as it is
export BUILDX_NO_DEFAULT_ATTESTATIONS=1 # `kind load` takes no image that is a list of manifests

main() {
	mkdir -p "$CACHE/run"
	check_run
	# The program itself, as `go tool` calls it a success when its tool is killed.
	kind=$(go tool -modfile=go.tools.mod -n kind)
	kubernetes=$(go run ./test/apiserver/build kubectl)
	step images
	trap finish EXIT
	trap 'exit 130' INT TERM
	step cluster
	step load
	step install
	step tests
}

step() {
	local start=$SECONDS
	"$1"
	echo "e2e: $1: $((SECONDS - start)) s" >&2
}

check_run() {
	[ -z "${RUN:-}" ] || go test -tags=e2e -list "$RUN" ./test/e2e | grep ^Test >/dev/null ||
		{ echo "e2e: no test matches RUN=$RUN" >&2; return 1; }
}

kubectl() { ${ENTER:-} "$kubernetes/kubectl" "$@"; }

images() {
	make image IMAGE="$CONTROLLER_IMAGE" PLATFORMS="$(go env GOARCH)"
	local bytes
	bytes=$(docker image inspect --format '{{.Size}}' "$CONTROLLER_IMAGE")
	[ "$bytes" -lt "$MAX_IMAGE_BYTES" ] || { echo "e2e: the image has $bytes bytes, more than $MAX_IMAGE_BYTES" >&2; return 1; }
	local context=bin/e2e
	mkdir -p "$context"
	CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags="-s -w" -o "$context/" ./test/e2e/world ./test/kind/enforcer
	cp test/e2e/{internet,kill-processes-of} "$context/"
	docker build -q ${BASE_IMAGE:+--build-arg "BASE=$BASE_IMAGE"} -t "$TEST_IMAGE" -f test/e2e/Dockerfile "$context" >/dev/null
}

cluster() {
	if "$kind" get clusters 2>/dev/null | grep -qx "$CLUSTER"; then
		echo "e2e: deleting the cluster that a former run has left" >&2
		"$kind" delete cluster --name "$CLUSTER"
	fi
	"$kind" create cluster --name "$CLUSTER" --config "${CLUSTER_CONFIG:-test/kind/cluster.yaml}" ${NODE_IMAGE:+--image "$NODE_IMAGE"}
}

load() { "$kind" load docker-image --name "$CLUSTER" "$CONTROLLER_IMAGE" "$TEST_IMAGE"; }

install() {
	if [ -n "${ENFORCER:-}" ]; then
		enforcer | kubectl apply -f -
		kubectl -n kube-system rollout status --timeout=3m daemonset/fqdn-egress-e2e-enforcer
	fi
	kubectl apply -k config/default
	kubectl -n fqdn-egress-system rollout status --timeout=3m deployment/fqdn-egress-controller
}

enforcer() {
	local flag list=
	for flag in ${ENFORCER_FLAGS:-}; do list+="${list:+, }\"$flag\""; done
	sed "s|args: \[\]|args: [$list]|" "$ENFORCER"
}

tests() {
	# Most of a test is waiting, so many run at a time whatever the processors.
	CGO_ENABLED=1 GOFLAGS= go test -tags=e2e -race -vet=off -count=1 -timeout=20m -parallel=16 -v ${ENTER:+-exec "$ENTER"} ${RUN:+-run "$RUN"} ./test/e2e
}

finish() {
	local status=$?
	trap '' INT TERM
	if [ "$status" != 0 ] && [ "$status" -lt 128 ]; then
		look_around >&2 || true
	fi
	if [ -n "${KEEP:-}" ]; then
		echo "e2e: the cluster is left there. ${KEPT:-export KUBECONFIG=$KUBECONFIG to use it; to end it: $kind delete cluster --name $CLUSTER}" >&2
	else
		"$kind" delete cluster --name "$CLUSTER"
	fi
	exit "$status"
}

# What one would look at after a failure that only happens on a build farm.
look_around() {
	echo "e2e: failed; what the cluster looks like:"
	kubectl get pods -A -o wide
	kubectl get fqdnegresspolicies,networkpolicies -A
	kubectl -n fqdn-egress-system logs --prefix --tail=50 -l app.kubernetes.io/name=fqdn-egress-controller
}

main
