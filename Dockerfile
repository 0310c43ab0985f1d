# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# The image is the binary and nothing else. The binary is built outside, so that an image can be made where no base image
# can be pulled, and is the very one that was tested:
#
#   CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags="-s -w" -o bin/ ./cmd/fqdn-egress-controller
#   docker build --build-arg VERSION=v0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" -t fqdn-egress-controller:dev .
#
# CGO_ENABLED=0: with no libc in the image the binary has to be static. It brings its own resolver, and it trusts the API
# server by the CA that Kubernetes mounts, so neither /etc/nsswitch.conf nor a CA bundle is missed.
FROM scratch

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fqdn-egress-controller" \
      org.opencontainers.image.description="Keeps Kubernetes NetworkPolicies true to the host names of FQDNEgressPolicies" \
      org.opencontainers.image.source="https://github.com/fqdn-egress/fqdn-egress" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# With go build -o bin/ as above; another path with --build-arg BINARY=...
ARG BINARY=bin/fqdn-egress-controller
COPY ${BINARY} /fqdn-egress-controller

# A number, not a name: runAsNonRoot can only check a number, and there is no /etc/passwd.
USER 65532:65532

# Metrics and probes.
EXPOSE 8080 8081

ENTRYPOINT ["/fqdn-egress-controller"]
