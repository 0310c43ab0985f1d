// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/resolver"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// TestEdge6_ClusterDNSRollsWithoutLosingAnAddress has the real follower, resolver and book. The API server takes no loopback
// address for an endpoint, so an endpoint's address stands for the DNS server that listens on its port.
func TestEdge6_ClusterDNSRollsWithoutLosingAnAddress(t *testing.T) {
	w := newWorld(t)
	service := w.dnsService("rolling-dns")
	first, second := w.dns, dnstest.Start(t)
	first.Set("www.example.com", shortTTL, "192.0.2.1")
	second.Set("www.example.com", shortTTL, "192.0.2.2")
	book, read := w.followClusterDNS(service, clusterdns.Options{}, onLoopback)

	firstEndpoint := w.dnsEndpoint(service, first)
	eventually(t, read("192.0.2.1"))
	w.dnsEndpoint(service, second) // the new replica comes
	eventually(t, read("192.0.2.1", "192.0.2.2"))
	if err := w.client.Delete(t.Context(), firstEndpoint); err != nil { // the old one goes
		t.Fatal(err)
	}
	eventually(t, func() error { return read("192.0.2.1", "192.0.2.2")() })
	w.waitForQueriesTo(second, 6, "www.example.com")
	asked := first.Count("www.example.com")
	w.waitForQueriesTo(second, 4, "www.example.com")
	if again := first.Count("www.example.com"); again != asked {
		t.Errorf("the endpoint that left was asked %d times more", again-asked)
	}
	if err := read("192.0.2.1", "192.0.2.2")(); err != nil { // retention keeps what only the old one said
		t.Error(err)
	}
	if left := book.Stats().Questions; left > 4 {
		t.Errorf("%d questions are known of two endpoints", left)
	}
}

// onLoopback is where the server of an endpoint listens in these tests.
func onLoopback(endpoint netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), endpoint.Port())
}

// followClusterDNS resolves www.example.com through whom the follower of the Service names, at the addresses that at
// gives for them, and returns a check of what the book holds for it. From the first address on, none may be missing again.
func (w *world) followClusterDNS(
	service string, options clusterdns.Options, at func(netip.AddrPort) netip.AddrPort,
) (*addressbook.Book, func(want ...string) func() error) {
	w.t.Helper()
	follower, err := clusterdns.New(w.server.Config, types.NamespacedName{Namespace: w.namespace, Name: service}, options)
	if err != nil {
		w.t.Fatal(err)
	}
	book := addressbook.New(addressbook.Options{Retention: time.Hour})
	owner := addressbook.Owner{Kind: "test", Name: "web"}
	name, err := fqdn.ParsePattern("www.example.com")
	if err != nil {
		w.t.Fatal(err)
	}
	book.Want(owner, addressbook.Wants{Patterns: []fqdn.Pattern{name}}, time.Now())
	r, err := resolver.New(book, resolver.Cluster(func() ([]netip.AddrPort, <-chan struct{}) {
		endpoints, changed := follower.Upstreams()
		servers := make([]netip.AddrPort, len(endpoints))
		for i, e := range endpoints {
			servers[i] = at(e)
		}
		return servers, changed
	}), resolver.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.run(follower.Start)
	w.run(r.Start)
	return book, func(want ...string) func() error {
		return func() error {
			var got []string
			for _, a := range book.Snapshot(owner, time.Now()).Patterns[0].Addresses {
				got = append(got, a.Addr.String())
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("the book has %v, want %v", got, want)
			}
			return nil
		}
	}
}

// run runs a part until the test ends.
func (w *world) run(part func(context.Context) error) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- part(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
}

// dnsEndpoint adds one ready endpoint to a DNS Service; its port is the server's.
func (w *world) dnsEndpoint(service string, server *dnstest.Server) client.Object {
	w.t.Helper()
	port := int32(server.Addr().Port())
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, GenerateName: service + "-", Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"192.0.2.53"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
		}},
		Ports: []discoveryv1.EndpointPort{
			{Name: new("dns"), Protocol: new(corev1.ProtocolUDP), Port: &port},
			{Name: new("dns-tcp"), Protocol: new(corev1.ProtocolTCP), Port: &port},
		},
	}
	if err := w.client.Create(w.t.Context(), slice); err != nil {
		w.t.Fatal(err)
	}
	return slice
}
