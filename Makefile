# Copyright The fqdn-egress Authors.
# SPDX-License-Identifier: Apache-2.0

# `make` alone lists the targets. Nothing has to be installed but Go, git and a C compiler for the race detector: tools
# are pinned in go.tools.mod, the control plane in test/apiserver/binaries/go.mod, and both are built at first use.

SHELL       := /bin/bash -eu -o pipefail
.SHELLFLAGS := -c
MAKEFLAGS   += --no-print-directory

TOOL     := go tool -modfile=go.tools.mod
LINT     := $(TOOL) golangci-lint-kube-api-linter
FUZZTIME ?= 30s

# Each set of flags is a build of its own of Kubernetes' libraries, minutes from nothing. So there are two: that of the race
# detector, which needs cgo, and that of what is shipped, which the linter, the demo and the tools share.
export CGO_ENABLED := 0
export GOFLAGS     := -trimpath

# The image: its name, and the architectures that it is built for. Each has the architecture as a suffix; the one of this
# machine has the plain name too.
IMAGE     ?= fqdn-egress-controller:dev
PLATFORMS ?= amd64 arm64
VERSION   ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),dev)
REVISION  := $(shell git rev-parse HEAD 2>/dev/null)

# Packages with tests that need the control plane, and those without.
packages     = go list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | grep $(1) -e /test/apiserver -e /test/integration -e /test/coredns | cut -d' ' -f1
INTEGRATION  = $$($(call packages,))
UNIT         = $$($(call packages,-v))
# Vet is one of the linters; go test would vet all of Kubernetes' libraries first, for what a few checks must know of them.
GO_TEST      = CGO_ENABLED=1 GOFLAGS= go test -race -vet=off -shuffle=on -timeout=30m

.PHONY: help
help:
	@awk -F ':.*## ' '/^##: / {print substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

##: Every day

.PHONY: demo
demo: ## Watch the controller work, on a control plane of its own; KEEP=1 leaves it running
	go run ./test/demo

.PHONY: test
test: lint verify control-plane ## Lint, check that what is generated is up to date, run all tests against a real control plane
	$(GO_TEST) ./...

.PHONY: test-unit
test-unit: ## Run the tests that need no control plane
	$(GO_TEST) $(UNIT)

.PHONY: test-integration
test-integration: control-plane ## Run the tests that need the control plane
	$(GO_TEST) $(INTEGRATION)

.PHONY: cover
cover: control-plane ## Say which functions of the controller no integration test runs; the profile is in bin/cover.out
	@rm -rf bin/cover && mkdir -p bin/cover
	GOCOVERDIR=$(CURDIR)/bin/cover CGO_ENABLED=1 GOFLAGS= go test -race -vet=off -count=1 -timeout=30m ./test/integration
	go tool covdata textfmt -i=bin/cover -o=bin/cover.out
	go tool cover -func=bin/cover.out | grep -v zz_generated | awk '$$NF == "0.0%" {print $$1, $$2}'

.PHONY: lint
lint: ## Run the linters
	@echo "lint: the first time builds the linter, 2 to 4 minutes"
	$(LINT) run

.PHONY: fmt
fmt: ## Format the code
	$(LINT) fmt

.PHONY: generate
generate: ## Write the deep copies and the CRD from the API types, docs/flags.md and docs/metrics.md from the program
	$(TOOL) controller-gen object:headerFile=hack/boilerplate.go.txt crd paths=./api/... output:crd:artifacts:config=config/crd
	go test -count=1 -run '^TestDocs' ./cmd/fqdn-egress-controller -update

.PHONY: build
build: ## Build the programs into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

##: Before a pull request

.PHONY: presubmit
presubmit: test demo ## All that continuous integration checks

.PHONY: verify
verify: ## Fail if generating, tidying or formatting would change something
	hack/unchanged $(MAKE) generate tidy fmt

.PHONY: tidy
tidy: ## Tidy go.mod
	go mod tidy

.PHONY: e2e
e2e: ## Test with real packets in a kind cluster; needs Docker and internet. KEEP=1 keeps it, RUN=TestStory runs one
	test/kind/e2e.sh

.PHONY: e2e-offline
e2e-offline: ## The same on a Debian without an image registry; needs root
	test/kind/offline/e2e.sh

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZTIME (30s)
	@grep -roE '^func Fuzz\w+' --include='*_test.go' . | sed -E 's|/[^/]*:func | |' | sort | \
	while read -r dir target; do \
		echo "$$dir $$target"; go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) "$$dir" </dev/null; \
	done

.PHONY: bench
bench: ## Measure: the whole controller against the control plane in 15 minutes, then the pure parts; BENCH="-scenarios all -strict" and more
	go run ./test/bench $(BENCH)
	go test -run='^$$' -bench=. -benchmem ./api/... ./controllers/... ./internal/... ./resolver/...

.PHONY: coherence
coherence: control-plane ## Measure how far the rules agree with what pods are told: 4 minutes; COHERENCE="-strict -json file -svg file" and more
	go run ./test/coherence $(COHERENCE)

.PHONY: vuln
vuln: ## Look for known vulnerabilities (asks vuln.go.dev)
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

##: For a cluster

.PHONY: image
image: ## Build the container image IMAGE (fqdn-egress-controller:dev) for linux/amd64 and linux/arm64; needs no registry
	@# No cache: the classic builder takes the layers of one platform for those of the other. No attestations: BuildKit would
	@# make each image a manifest list of its own, and `docker manifest create` takes no list into a list.
	@docker info >/dev/null
	@for arch in $(PLATFORMS); do \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go build -trimpath -ldflags="-s -w" -o bin/linux-$$arch/ ./cmd/fqdn-egress-controller; \
		BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build -q --no-cache --platform linux/$$arch --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
			-t $(IMAGE)-$$arch -f Dockerfile bin/linux-$$arch; \
		echo "$(IMAGE)-$$arch"; \
	done
	docker tag $(IMAGE)-$$(go env GOARCH) $(IMAGE)

.PHONY: manifests
manifests: ## Write dist/install.yaml from config/default
	@mkdir -p dist
	"$$(go run ./test/apiserver/build)/kubectl" kustomize config/default > dist/install.yaml

##: The rest

.PHONY: control-plane
control-plane: ## Build etcd, kube-apiserver, kube-controller-manager, kubectl and CoreDNS unless they are there
	go run ./test/apiserver/build
	go run ./test/apiserver/build coredns

.PHONY: clean
clean: ## Remove bin/ and dist/, not the caches
	rm -rf bin dist
