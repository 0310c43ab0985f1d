// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/fqdn-egress/fqdn-egress/controllers/metrics"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/docgen"
	"github.com/fqdn-egress/fqdn-egress/resolver"
)

//go:generate go test -count=1 -run ^TestDocs . -update

var update = flag.Bool("update", false, "write the pages of docs/ instead of comparing them")

func TestDocsOfFlagsAreCurrent(t *testing.T) {
	fs := flag.NewFlagSet("fqdn-egress-controller", flag.ContinueOnError)
	(&options{}).bind(fs)
	wantPage(t, "flags.md", docgen.Flags(fs))
}

func TestDocsOfMetricsAreCurrent(t *testing.T) {
	var catalog docgen.Catalog
	book := addressbook.New(addressbook.Options{})
	follower, err := clusterdns.New(&rest.Config{}, types.NamespacedName{Namespace: "kube-system", Name: "kube-dns"}, clusterdns.Options{})
	if err != nil {
		t.Fatal(err)
	}
	metrics.New(&catalog, book, follower)
	upstream := dnsclient.UDP(netip.MustParseAddrPort("192.0.2.53:53"))
	if _, err := resolver.New(book, resolver.Static(upstream), resolver.Options{Registerer: &catalog}); err != nil {
		t.Fatal(err)
	}
	page, err := catalog.Page()
	if err != nil {
		t.Fatal(err)
	}
	wantPage(t, "metrics.md", page)
}

func wantPage(t *testing.T, name, want string) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", name)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/%s is out of date: run `make generate`\n%s", name, diff)
	}
}
