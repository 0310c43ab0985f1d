// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// A leader's write is on its way when the leader is stopped, and arrives after another leader has written the same object.
// The API server must refuse it. The former leader goes on then, with watches that catch up and a book that is old, and must
// end without another try.
func TestInvariant6_PausedFormerLeaderUndoesNothing(t *testing.T) {
	const old, sent, current = "192.0.2.1", "192.0.2.2", "192.0.2.3"
	for name, tc := range map[string]struct {
		answered []string // before the leader is stopped
		method   string   // of the write that is held
		path     string
		want     []string // what the new leader allows
	}{
		"an update": {answered: []string{old}, method: http.MethodPut, path: "/networkpolicies/web-fqdn", want: []string{old, current}},
		"a create":  {method: http.MethodPost, path: "/networkpolicies", want: []string{current}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			gate := w.gate()
			elect := []string{"--leader-elect", "--leader-election-namespace", w.namespace}
			leader := start(t, gate.kubeconfig, append(elect, "--upstreams", w.dns.Addr().String())...).ready()
			resource := "/apis/networking.k8s.io/v1/namespaces/" + w.namespace
			if tc.answered != nil {
				w.dns.Set("www.example.com", shortTTL, tc.answered...)
				w.create("web", nil, rule(443, "www.example.com"))
				w.wantAllowed(443, tc.answered...)
			}
			held := gate.hold(tc.method, resource+tc.path)
			w.dns.Set("www.example.com", dnstest.TTL(time.Hour), sent) // the leader does not ask again
			if tc.answered == nil {
				w.create("web", nil, rule(443, "www.example.com"))
			}
			if body := held.wait(); !bytes.Contains(body, []byte(sent)) {
				t.Fatalf("the leader sent a write without %s: %q", sent, body)
			}
			leader.signal(syscall.SIGSTOP)

			w.dns.Set("www.example.com", shortTTL, current)
			standby := w.start(elect...)
			leads := w.within(leaseDuration + 3*time.Second + margin) // the lease, the pause between two tries to get it
			leads.wantAllowed(443, tc.want...)
			w.forceWrite("web") // pods that the former leader does not know of
			stop := w.watchAlways(func(nps []networkingv1.NetworkPolicy) error {
				if got := allowedBy(nps, 443); !slices.Equal(got, tc.want) {
					return fmt.Errorf("the former leader made it allow %v, want %v", got, tc.want)
				}
				if len(nps) != 1 || len(nps[0].Spec.PodSelector.MatchLabels) == 0 {
					return fmt.Errorf("the former leader wrote %+v", nps)
				}
				return nil
			})
			if code := held.release(); code != http.StatusConflict {
				t.Errorf("the API server answered %d to the write of the former leader, want %d", code, http.StatusConflict)
			}
			leader.signal(syscall.SIGCONT)
			if code := leader.exit(); code == 0 {
				t.Error("the former leader ended as if all were well")
			}
			if err := standby.process.Failure(); err != nil {
				t.Fatal(err)
			}
			w.forceWrite("web") // the new leader leads, and the watch saw all up to this write
			stop()
		})
	}
}
