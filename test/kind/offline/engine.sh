#!/usr/bin/env bash
# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# engine.sh start | stop: a Docker engine of its own for the kind cluster, with its data in the cache directory.
#
# It runs in a network namespace that holds nothing but its own bridges. That keeps every packet of the cluster on this
# machine by construction, and leaves the machine's addresses, firewall and any other Docker engine alone. What talks to
# the cluster over the network runs in that namespace too: see enter.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

main() {
	[ "$(id -u)" = 0 ] || die "needs root: it starts a Docker engine and makes a network namespace"
	mkdir -p "$STATE"
	install_missing pgrep procps
	case ${1:-} in
	start) start ;;
	stop) stop ;;
	*) die "usage: engine.sh start|stop" ;;
	esac
}

start() {
	install_missing ip iproute2
	install_missing iptables iptables
	install_missing dockerd docker.io
	docker info >/dev/null 2>&1 && return
	stop # what an engine that was killed has left
	ip netns add "$NETNS"
	ip -n "$NETNS" link set lo up
	runtime_without_sys_resource
	# nsenter, as `ip netns exec` would hide the cgroups under a new /sys.
	# setsid: an interrupt at the terminal goes to the caller, which deletes the cluster before it stops the engine.
	setsid nsenter --net="/run/netns/$NETNS" dockerd \
		--data-root "$CACHE/docker" --exec-root "$STATE/engine" --pidfile "$STATE/dockerd.pid" -H "$DOCKER_HOST" \
		--add-runtime "limited=$STATE/runc-limited" --default-runtime limited \
		>"$STATE/dockerd.log" 2>&1 </dev/null &
	wait_until_it_answers
}

wait_until_it_answers() {
	for _ in $(seq 120); do
		docker info >/dev/null 2>&1 && return
		sleep 0.5
	done
	tail -n 20 "$STATE/dockerd.log" >&2
	die "dockerd does not answer; its log is $STATE/dockerd.log"
}

# Where this machine's own bounding set lacks CAP_SYS_RESOURCE, runc cannot give it to a privileged container and fails
# with "unable to apply caps". This runc does not ask for it.
runtime_without_sys_resource() {
	install -m755 /dev/stdin "$STATE/runc-limited" <<-'RUNC'
		#!/bin/bash
		previous=
		for argument; do
			case $previous in
			--bundle | -b) file=$argument/config.json ;;
			--process | -p) file=$argument ;;
			*) file= ;;
			esac
			[ -n "$file" ] && [ -f "$file" ] && sed -i 's/"CAP_SYS_RESOURCE",//g; s/,"CAP_SYS_RESOURCE"//g' "$file"
			previous=$argument
		done
		exec /usr/sbin/runc "$@"
	RUNC
}

# stop also clears up after an engine that was killed, whose containers live on and whose mounts are in the way.
stop() {
	terminate "$(processes_of_the_engine)"
	kill_now "$(processes_of_the_engine) $(processes_of_containers)"
	local mount
	for mount in $(awk -v a="$STATE/engine/" -v b="$CACHE/docker/" 'index($2, a) == 1 || index($2, b) == 1 {print $2}' /proc/mounts); do
		umount --lazy "$mount" || true
	done
	rm -rf "$STATE/engine" "$STATE/dockerd.pid" "$STATE/docker.sock"
	if [ -e "/run/netns/$NETNS" ]; then
		ip netns delete "$NETNS"
	fi
}

# The engine, its containerd and its shims carry the exec root on their command lines.
processes_of_the_engine() { pgrep -f -- "$STATE/(engine|dockerd)" || true; }

# What runs in a container is in a cgroup that has the number of the container in its name.
processes_of_containers() {
	local container
	for container in "$CACHE"/docker/containers/*; do
		grep -l -- "${container##*/}" /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3
	done
}

# terminate asks processes to end and waits until they did, for half a minute.
terminate() {
	# shellcheck disable=SC2086 # a list
	[ -z "$1" ] || kill $1 2>/dev/null || true
	for _ in $(seq 60); do
		[ -n "$(processes_of_the_engine)" ] || return 0
		sleep 0.5
	done
}

kill_now() {
	local pid
	for pid in $1; do
		kill -KILL "$pid" 2>/dev/null || true
	done
}

main "$@"
