#!/usr/bin/env bash
# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# node-image.sh: makes a kind node image and prints its name. It is made of Debian packages and of Kubernetes, etcd and
# CoreDNS built from their Go modules. The name ends in a hash of all that it is made of, and what is there is not made
# again. The root file system alone is an image too, $BASE_IMAGE: it has curl, ip and nft for the pods of the tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/env.sh"

here=$ROOT/test/kind/offline
kubernetes_version=$(awk '$1 == "k8s.io/kubernetes" {print $2; exit}' "$ROOT/test/apiserver/binaries/go.mod")

packages=systemd,systemd-sysv,iptables,nftables,iproute2,socat,libseccomp2,bash,curl,procps
packages+=,containerd,runc,containernetworking-plugins,ca-certificates
suite=bookworm

hash_of() { cat "$@" | sha256sum | cut -c1-12; }
BASE_IMAGE=fqdn-egress/base:$(echo "$suite $packages" | hash_of -)
NODE_IMAGE=fqdn-egress/node:$kubernetes_version-$(hash_of "$here"/node/* "$here"/{node-image,install-node}.sh "$here/pause/main.go" \
	"$ROOT/test/apiserver/binaries/go.mod" "$ROOT/test/kind/coredns/go.mod")

main() {
	mkdir -p "$CACHE/work"
	work=$(mktemp -d "$CACHE/work/node-image.XXXXXX")
	trap 'rm -rf "$work"; docker rm -fv "${container:-none}" >/dev/null 2>&1 || true' EXIT
	there "$BASE_IMAGE" || base_image
	there "$NODE_IMAGE" || node_image
	echo "$NODE_IMAGE $BASE_IMAGE"
}

there() { docker image inspect "$1" >/dev/null 2>&1; }

base_image() {
	say "making the root file system from Debian packages (1 to 3 minutes)"
	install_missing debootstrap debootstrap
	debootstrap --variant=minbase --include="$packages" "$suite" "$work/root" "$(mirror)" >"$work/debootstrap.log" 2>&1 ||
		{ tail -n 20 "$work/debootstrap.log" >&2; die "debootstrap failed"; }
	(cd "$work/root" && rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/* usr/share/{doc,man,locale}/*)
	tar -C "$work/root" --numeric-owner -c . | docker import - "$BASE_IMAGE" >/dev/null
	rm -rf "$work/root"
}

# The mirror that this machine's apt uses, or else debootstrap's own default.
mirror() {
	awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}' \
		/etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true
}

node_image() {
	say "making the node image (Kubernetes and CoreDNS: 5 minutes the first time)"
	local kubernetes
	kubernetes=$(cd "$ROOT" && go run ./test/apiserver/build \
		etcd kube-apiserver kubectl kube-controller-manager kubelet kubeadm kube-proxy kube-scheduler)
	coredns=$(cd "$ROOT" && go run ./test/apiserver/build coredns)/coredns
	CGO_ENABLED=0 go build -C "$ROOT" -trimpath -ldflags '-s -w' -o "$work/pause" ./test/kind/offline/pause
	base_of_the_node "$kubernetes"
	pod_images "$kubernetes"
	import_pod_images
	forget_former_images
}

base_of_the_node() {
	mkdir "$work/node"
	cp -r "$here/node" "$work/node/files"
	cp "$here/install-node.sh" "$work/node/"
	cp "$1"/{kubelet,kubeadm,kubectl} "$work/node/"
	cat >"$work/node/Dockerfile" <<-DOCKERFILE
		FROM $BASE_IMAGE
		ENV container=docker
		COPY kubelet kubeadm kubectl /usr/bin/
		COPY files /tmp/files
		COPY install-node.sh /tmp/
		RUN /tmp/install-node.sh $kubernetes_version && rm -r /tmp/files /tmp/install-node.sh
		STOPSIGNAL SIGRTMIN+3
		ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]
	DOCKERFILE
	build_image fqdn-egress/node-base "$work/node"
}

# build_image NAME CONTEXT. The classic builder calls itself deprecated each time: what it says is shown if it fails.
build_image() {
	docker build -q -t "$1" "$2" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; die "docker build $1 failed"; }
}

# The images that kubeadm and kind expect, under the names of `kubeadm config images list`.
pod_images() {
	images=()
	local registry=registry.k8s.io name
	for name in kube-apiserver kube-controller-manager kube-scheduler; do
		pod_image "$registry/$name:$kubernetes_version" "$1/$name" scratch
	done
	pod_image "$registry/kube-proxy:$kubernetes_version" "$1/kube-proxy" "$BASE_IMAGE"
	while read -r name; do
		case $name in
		*/etcd:*) pod_image "$name" "$1/etcd" scratch ;;
		*/pause:*) pod_image "$name" "$work/pause" scratch ;;
		*/coredns:*) pod_image "$name" "$coredns" scratch ;;
		esac
	done < <("$1/kubeadm" config images list --kubernetes-version "$kubernetes_version")
}

# pod_image IMAGE BINARY BASE
pod_image() {
	local context=$work/image-${2##*/} directory=/usr/local/bin
	[ "${2##*/}" != coredns ] || directory= # where its Deployment looks for it
	mkdir "$context"
	cp "$2" "$context/"
	printf 'FROM %s\nCOPY %s %s/\nENTRYPOINT ["%s/%s"]\n' "$3" "${2##*/}" "$directory" "$directory" "${2##*/}" >"$context/Dockerfile"
	build_image "$1" "$context"
	images+=("$1")
}

# Into the node's own containerd, pinned so that the kubelet's garbage collector leaves them alone.
import_pod_images() {
	container=$(docker run -d --entrypoint containerd fqdn-egress/node-base)
	for _ in $(seq 60); do
		docker exec "$container" ctr version >/dev/null 2>&1 && break
		sleep 0.5
	done
	docker save "${images[@]}" | docker exec -i "$container" ctr -n k8s.io images import \
		--label=io.cri-containerd.pinned=pinned --all-platforms --no-unpack --digests - >/dev/null
	docker stop "$container" >/dev/null
	docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' "$container" "$NODE_IMAGE" >/dev/null
}

# A former node image has a gigabyte that nobody will ask for; one that a kept cluster uses stays.
forget_former_images() {
	docker images --format '{{.Repository}}:{{.Tag}}' fqdn-egress/node | grep -vxF "$NODE_IMAGE" |
		xargs -r docker rmi >/dev/null 2>&1 || true
}

main
