// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	patience = 10 * time.Second       // with what must arrive, on a busy machine
	silence  = 400 * time.Millisecond // after which a packet was dropped; nothing rejects any
)

var atomicSpan = flag.Duration("atomic-span", 4*time.Second, "how long TestReplacementIsAtomic tries")

// probe is a way that a packet may be let through or not.
type probe struct {
	from, to, network string
	port              int
}

func (p probe) String() string { return fmt.Sprintf("%s>%s:%s/%d", p.from, p.to, p.network, p.port) }

// probes are the ways in the shop, which has the pods web and api in one namespace, db in another, and outside in none.
// node is the router itself.
func probes() []probe {
	return []probe{
		{"web", "db", "tcp", 5432},
		{"web", "db", "tcp", 8080},
		{"web", "db", "udp", 5353},
		{"web", "api", "tcp", 80},
		{"web", "outside", "tcp", 443},
		{"api", "db", "tcp", 5432},
		{"db", "web", "tcp", 8080},
		{"outside", "db", "tcp", 5432},
		{"node", "db", "tcp", 5432},
	}
}

func newShop(t *testing.T, bridged bool) *world {
	t.Helper()
	w := newWorld(t, bridged)
	for name, team := range map[string]string{"shop": "x", "data": "y"} {
		w.state.namespaces = append(w.state.namespaces, &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}},
		})
	}
	w.pod("shop", "web", 5, corev1.ContainerPort{Name: "http", ContainerPort: 8080})
	w.pod("shop", "api", 6, corev1.ContainerPort{Name: "http", ContainerPort: 80})
	w.pod("data", "db", 7, corev1.ContainerPort{Name: "http", ContainerPort: 8080})
	w.attach("outside", "192.0.2.10", "2001:db8::10", false)
	listening := map[string]bool{}
	for _, p := range probes() {
		if key := fmt.Sprint(p.to, p.network, p.port); !listening[key] {
			listening[key] = true
			w.hosts[p.to].listen(p.network, p.port)
		}
	}
	return w
}

const everyWay = "web>db:tcp/5432 web>db:tcp/8080 web>db:udp/5353 web>api:tcp/80 web>outside:tcp/443 api>db:tcp/5432 " +
	"db>web:tcp/8080 outside>db:tcp/5432 node>db:tcp/5432"

// TestPackets sends every probe over both families under each set of policies, and says which arrive: to pods that are
// routed to one by one, and to pods on a bridge.
func TestPackets(t *testing.T) {
	tests := []struct {
		name, policies string
		v4, v6         string // what arrives over IPv4; over IPv6 the same unless said otherwise
	}{
		{name: "nothing isolated", policies: spec("web", `policyTypes: [Egress], egress: [{}]`), v4: everyWay},
		{
			name:     "no egress of web",
			policies: spec("web", `policyTypes: [Egress]`),
			v4:       "api>db:tcp/5432 db>web:tcp/8080 outside>db:tcp/5432 node>db:tcp/5432",
		},
		{
			// What the node itself sends is not judged.
			name:     "no ingress of db",
			policies: spec("db", `policyTypes: [Ingress]`),
			v4:       "web>api:tcp/80 web>outside:tcp/443 db>web:tcp/8080 node>db:tcp/5432",
		},
		{
			name: "both sides must allow",
			policies: spec("web", `policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]`) + "\n---\n" +
				spec("db", `policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {matchLabels: {team: x}},`+
					` podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}, {port: 5353, protocol: UDP}]}]`),
			v4: "web>db:tcp/5432 web>db:udp/5353 web>api:tcp/80 db>web:tcp/8080 node>db:tcp/5432",
		},
		{
			name: "block of one family",
			policies: spec("web", `policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0,`+
				` except: [10.244.0.6/32]}}]}]`),
			v4: "web>db:tcp/5432 web>db:tcp/8080 web>db:udp/5353 web>outside:tcp/443 api>db:tcp/5432 db>web:tcp/8080 " +
				"outside>db:tcp/5432 node>db:tcp/5432",
			v6: "api>db:tcp/5432 db>web:tcp/8080 outside>db:tcp/5432 node>db:tcp/5432",
		},
		{
			name:     "everything of one family",
			policies: spec("web", `policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: "::/0"}}]}]`),
			v4:       "api>db:tcp/5432 db>web:tcp/8080 outside>db:tcp/5432 node>db:tcp/5432",
			v6:       everyWay,
		},
		{
			name:     "a range of ports",
			policies: spec("web", `policyTypes: [Egress], egress: [{ports: [{port: 400, endPort: 5432}]}]`),
			v4: "web>db:tcp/5432 web>outside:tcp/443 api>db:tcp/5432 db>web:tcp/8080 outside>db:tcp/5432 " +
				"node>db:tcp/5432",
		},
		{
			name:     "a named port is each pod's own",
			policies: spec("web", `policyTypes: [Egress], egress: [{ports: [{port: http}]}]`),
			v4: "web>db:tcp/8080 web>api:tcp/80 api>db:tcp/5432 db>web:tcp/8080 outside>db:tcp/5432 " +
				"node>db:tcp/5432",
		},
		{
			name: "the union of two",
			policies: spec("web", `policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]`) + "\n---\n" +
				strings.Replace(spec("web", `policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 192.0.2.10/32}},`+
					` {ipBlock: {cidr: "2001:db8::/32"}}]}]`), "name: web", "name: second", 1),
			v4: "web>api:tcp/80 web>outside:tcp/443 api>db:tcp/5432 db>web:tcp/8080 outside>db:tcp/5432 " +
				"node>db:tcp/5432",
		},
	}
	for _, topology := range []string{"routed", "bridged"} {
		t.Run(topology, func(t *testing.T) {
			w := newShop(t, topology == "bridged")
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					w.enforce(test.policies)
					if test.v6 == "" {
						test.v6 = test.v4
					}
					w.check(t, "IPv4", test.v4, func(h *host) string { return h.v4 })
					w.check(t, "IPv6", test.v6, func(h *host) string { return h.v6 })
				})
			}
		})
	}
}

// spec is a policy for the pod that is called so, wherever it is.
func spec(pod, rest string) string {
	namespace := "shop"
	if pod == "db" {
		namespace = "data"
	}
	return fmt.Sprintf("kind: NetworkPolicy\nmetadata: {name: %[1]s, namespace: %[2]s}\n"+
		"spec: {podSelector: {matchLabels: {app: %[1]s}}, %[3]s}", pod, namespace, rest)
}

// check sends all probes at once and compares those that arrive.
func (w *world) check(t *testing.T, family, want string, address func(*host) string) {
	t.Helper()
	expected := strings.Fields(want)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var arrived []string
	for _, p := range probes() {
		timeout := silence
		if slices.Contains(expected, p.String()) {
			timeout = patience
		}
		wg.Go(func() {
			to := net.JoinHostPort(address(w.hosts[p.to]), fmt.Sprint(p.port))
			if err := w.hosts[p.from].reach(p.network, to, timeout); err == nil {
				mu.Lock()
				defer mu.Unlock()
				arrived = append(arrived, p.String())
			}
		})
	}
	wg.Wait()
	slices.Sort(expected)
	slices.Sort(arrived)
	if diff := cmp.Diff(expected, arrived); diff != "" {
		t.Errorf("what arrives over %s (-want +got):\n%s", family, diff)
	}
}

// TestOpenConnectionsStay tightens policies under an open connection.
func TestOpenConnectionsStay(t *testing.T) {
	for _, topology := range []string{"routed", "bridged"} {
		t.Run(topology, func(t *testing.T) {
			w := newShop(t, topology == "bridged")
			web, db := w.hosts["web"], net.JoinHostPort(w.hosts["db"].v4, "5432")
			w.enforce(spec("web", `policyTypes: [Egress], egress: [{}]`))
			if err := web.agent.Call("Agent.Open", Dial{"tcp", db, patience}, nil); err != nil {
				t.Fatal(err)
			}
			w.enforce(spec("web", `policyTypes: [Ingress, Egress]`) + "\n---\n" + spec("db", `policyTypes: [Ingress, Egress]`))
			if err := web.reach("tcp", db, silence); err == nil {
				t.Error("a new connection is let through")
			}
			if err := web.agent.Call("Agent.Use", patience, nil); err != nil {
				t.Error("the open connection was cut:", err)
			}
		})
	}
}

// TestRejectAnswers: what is blocked fails at once, over both families and through a bridge too, and what is allowed is
// let through.
func TestRejectAnswers(t *testing.T) {
	for _, topology := range []string{"routed", "bridged"} {
		t.Run(topology, func(t *testing.T) {
			w := newShop(t, topology == "bridged")
			w.block = reject
			w.enforce(spec("web", `policyTypes: [Egress], egress: [{ports: [{port: 5432}]}]`))
			for _, address := range []string{w.hosts["db"].v4, w.hosts["db"].v6} {
				err := w.hosts["web"].reach("tcp", net.JoinHostPort(address, "8080"), patience)
				if err == nil || !strings.Contains(err.Error(), "refused") {
					t.Errorf("a blocked connection to %s: %v, want it refused", address, err)
				}
				if err := w.hosts["web"].reach("tcp", net.JoinHostPort(address, "5432"), patience); err != nil {
					t.Errorf("an allowed connection to %s: %v", address, err)
				}
			}
		})
	}
}

// TestReplacementIsAtomic replaces one ruleset by another while connections are made. Not one packet that both allow
// may be lost, and not one pass that both block.
func TestReplacementIsAtomic(t *testing.T) {
	w := newShop(t, false)
	policies := spec("db", `policyTypes: [Ingress], ingress: [{from: [{namespaceSelector: {},`+
		` podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]`) + "\n---\n"
	rulesets := []string{
		w.compile(policies + spec("web", `policyTypes: [Egress], egress: [{}]`)),
		w.compile(policies + spec("web", `policyTypes: [Egress, Ingress], egress: [{}, {ports: [{port: 1}]}]`)),
	}
	replace := func() {
		for _, ruleset := range rulesets {
			if err := load(t.Context(), w.router.nft(), ruleset); err != nil {
				t.Error(err)
			}
		}
	}
	replace()
	api, web, db := w.hosts["api"], w.hosts["web"], w.hosts["db"]
	address := net.JoinHostPort(db.v4, "5432")
	resentBefore, err := api.call("Resent", struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	span := *atomicSpan
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	var wg sync.WaitGroup
	var allowed, blocked, datagrams, replaced int64
	wg.Go(func() {
		for ; ctx.Err() == nil; allowed++ {
			if err := api.reach("tcp", address, patience); err != nil {
				t.Error("what is allowed failed:", err)
			}
		}
	})
	wg.Go(func() {
		for ; ctx.Err() == nil; blocked++ {
			if err := web.reach("tcp", address, 2*time.Millisecond); err == nil {
				t.Error("what is blocked arrived")
			}
		}
	})
	wg.Go(func() {
		udp := net.JoinHostPort(db.v4, "5353")
		var err error
		if datagrams, err = web.call("Flood", Dial{"udp", udp, span}); err != nil {
			t.Error("sending what is blocked:", err)
		}
	})
	wg.Go(func() {
		for ; ctx.Err() == nil; replaced++ {
			replace()
		}
	})
	wg.Wait()
	t.Logf("%d connections allowed, %d and %d datagrams blocked, %d replacements", allowed, blocked, datagrams, replaced*2)
	if got, err := db.call("Got", struct{}{}); err != nil || got != allowed {
		t.Errorf("%d connections and datagrams arrived (error %v), want the %d allowed ones", got, err, allowed)
	}
	if resent, err := api.call("Resent", struct{}{}); err != nil || resent != resentBefore {
		t.Errorf("%d packets of allowed connections were lost (error %v)", resent-resentBefore, err)
	}
}

// TestNftTakesGoldens loads what testdata shows.
func TestNftTakesGoldens(t *testing.T) {
	w := newWorld(t, false)
	for _, file := range policyFiles(t) {
		ruleset, err := compile(readState(t, "testdata/cluster.yaml", file), drop)
		if err != nil {
			t.Fatal(err)
		}
		if err := load(t.Context(), w.router.nft(), ruleset); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
