# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# `make image` builds it. The image is the binary and nothing else. The binary is built outside, in the directory that is
# the build context, so that an image can be made where no base image can be pulled, and for other architectures too.
#
# CGO_ENABLED=0: with no libc in the image the binary has to be static. It brings its own resolver, it trusts the API server
# by the CA that Kubernetes mounts, and DNS servers over TLS by the CA bundle in the binary or by what SSL_CERT_FILE names.
# So neither /etc/nsswitch.conf nor /etc/ssl is missed.
FROM scratch

# First: the classic builder gives the layers before it the platform of its daemon, and then fails for another one.
COPY fqdn-egress-controller /

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="fqdn-egress-controller" \
      org.opencontainers.image.description="Keeps Kubernetes NetworkPolicies true to the host names of FQDNEgressPolicies" \
      org.opencontainers.image.source="https://github.com/fqdn-egress/fqdn-egress" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# A number, not a name: runAsNonRoot can only check a number, and there is no /etc/passwd.
USER 65532:65532

# Metrics and probes.
EXPOSE 8080 8081

ENTRYPOINT ["/fqdn-egress-controller"]
