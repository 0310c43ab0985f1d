// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package netpol

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

func TestLive(t *testing.T) {
	r := on(to("a.example.com", "b.example.com"), tcp(443))
	r.To = append(r.To, block("192.0.2.7/32"), block("192.0.2.8/32"), pods("db"))
	p := policy(r, on(to("c.example.com"), tcp(22)))
	before := namesOf(t, map[string]Name{
		"a.example.com": answered("192.0.2.1", "192.0.2.2", "192.0.2.7"), "b.example.com": answered("192.0.2.2"), "c.example.com": answered("192.0.2.9"),
	})
	after := namesOf(t, map[string]Name{
		"a.example.com": answered("192.0.2.3"), "b.example.com": answered("192.0.2.2", "192.0.2.3"), "c.example.com": answered("192.0.2.9"),
	})
	all := given.Addrs("192.0.2.1", "192.0.2.2", "192.0.2.7", "192.0.2.9")
	type want struct {
		objects   []string
		addresses []netip.Addr
		names     map[string][]netip.Addr
	}
	tests := map[string]struct {
		names   map[fqdn.Pattern]Name // of the last plan
		none    bool                  // nothing was written before
		written bool                  // the steps of the last plan
		edit    func(*testing.T, cluster)
		want    want
	}{
		"the first write was refused": {names: before, none: true, want: want{names: map[string][]netip.Addr{}}},
		"all is written": {names: before, written: true, want: want{
			objects: []string{"web-fqdn"}, addresses: all,
			names: map[string][]netip.Addr{
				"a.example.com": given.Addrs("192.0.2.1", "192.0.2.2", "192.0.2.7"), "b.example.com": given.Addrs("192.0.2.2"), "c.example.com": given.Addrs("192.0.2.9"),
			},
		}},
		"an update was refused: what should go is its former owner's, what should come is nobody's": {names: after, want: want{
			objects: []string{"web-fqdn"}, addresses: given.Addrs("192.0.2.1", "192.0.2.2", "192.0.2.9"), // .7 is an ipBlock alone now
			names: map[string][]netip.Addr{
				"a.example.com": given.Addrs("192.0.2.1"), "b.example.com": given.Addrs("192.0.2.2"), "c.example.com": given.Addrs("192.0.2.9"),
			},
		}},
		"an update went through": {names: after, written: true, want: want{
			objects: []string{"web-fqdn"}, addresses: given.Addrs("192.0.2.2", "192.0.2.3", "192.0.2.9"),
			names: map[string][]netip.Addr{
				"a.example.com": given.Addrs("192.0.2.3"), "b.example.com": given.Addrs("192.0.2.2", "192.0.2.3"), "c.example.com": given.Addrs("192.0.2.9"),
			},
		}},
		"somebody added a peer and took one away": {names: before, written: true,
			edit: func(t *testing.T, objects cluster) {
				np := objects["web-fqdn"]
				rules := np.Spec.Egress
				rules[1].To = append(rules[1].To, addressPeer(given.Addrs("198.51.100.1")[0]))
				rules[2].To = nil
				objects.put(t, &np)
			},
			want: want{
				objects: []string{"web-fqdn"}, addresses: given.Addrs("192.0.2.1", "192.0.2.2", "192.0.2.7", "198.51.100.1"),
				names: map[string][]netip.Addr{"a.example.com": given.Addrs("192.0.2.1", "192.0.2.2", "192.0.2.7"), "b.example.com": given.Addrs("192.0.2.2")},
			}},
		"somebody else's object of our name": {names: before, written: true,
			edit: func(t *testing.T, objects cluster) {
				np := objects["web-fqdn"]
				np.Labels, np.OwnerReferences = nil, nil
				objects.put(t, &np)
			},
			want: want{names: map[string][]netip.Addr{}}},
		"a copy that still has our owner reference": {names: after, written: true,
			edit: func(t *testing.T, objects cluster) {
				np := owned("a-copy")
				np.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{addressPeer(given.Addrs("192.0.2.66")[0])}}}
				np.Annotations = map[string]string{AnnotationAddresses: "all ports:\n  a.example.com: 192.0.2.66 192.0.2.67\n"}
				objects.put(t, np)
			},
			want: want{
				objects: []string{"web-fqdn", "a-copy"}, addresses: given.Addrs("192.0.2.2", "192.0.2.3", "192.0.2.9", "192.0.2.66"),
				names: map[string][]netip.Addr{
					"a.example.com": given.Addrs("192.0.2.3", "192.0.2.66"), "b.example.com": given.Addrs("192.0.2.2", "192.0.2.3"), "c.example.com": given.Addrs("192.0.2.9"),
				},
			}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			objects := cluster{}
			if !tt.none {
				objects.run(t, input(p, before), start())
			}
			in := input(p, tt.names)
			in.Live = objects.list()
			plan := Compile(in, start())
			if tt.written {
				for _, s := range plan.Steps {
					objects.apply(t, s)
				}
			}
			if tt.edit != nil {
				tt.edit(t, objects)
			}
			got := Live(in, plan, objects.list())
			wanted := Liveness{Objects: tt.want.objects, Addresses: tt.want.addresses, For: map[fqdn.Pattern][]netip.Addr{}}
			for name, list := range tt.want.names {
				wanted.For[given.Pattern(t, name)] = list
			}
			if diff := cmp.Diff(wanted, got, addrComparer()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestLiveAfterRestart: what was carried is told for each name, and what of it nothing says whose it is, is counted.
func TestLiveAfterRestart(t *testing.T) {
	p := policy(on(to("a.example.com", "b.example.com"), tcp(443)))
	objects := cluster{}
	objects.run(t, input(p, namesOf(t, map[string]Name{"a.example.com": answered("192.0.2.1"), "b.example.com": answered("192.0.2.2")})), start())
	np := objects["web-fqdn"]
	np.Annotations[AnnotationAddresses] = "TCP/443:\n  a.example.com: 192.0.2.1\n" // as if cut
	objects.put(t, &np)
	in := input(p, nil)
	in.Carried, in.Live = CarriedFrom(in.Policy, nil, objects.list(), in.DNS, start()), objects.list()
	got := Live(in, Compile(in, start()), objects.list())
	want := Liveness{
		Objects: []string{"web-fqdn"}, Addresses: given.Addrs("192.0.2.1", "192.0.2.2"),
		For: map[fqdn.Pattern][]netip.Addr{given.Pattern(t, "a.example.com"): given.Addrs("192.0.2.1")},
	}
	if diff := cmp.Diff(want, got, addrComparer()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLiveListsObjectsInOrder(t *testing.T) {
	var objects []networkingv1.NetworkPolicy
	for _, name := range []string{"web-fqdn-10", "b", "web-fqdn-2", "a", "web-fqdn"} {
		objects = append(objects, *owned(name))
	}
	got := Live(input(policy(), nil), Plan{}, objects).Objects
	if diff := cmp.Diff([]string{"web-fqdn", "web-fqdn-2", "web-fqdn-10", "a", "b"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
