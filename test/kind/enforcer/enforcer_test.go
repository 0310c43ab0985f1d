// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// TestRun counts what reaches nft: a ruleset once, a refused one again with growing delays, and never an equal one
// twice.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, refuse := time.Now(), 2
		var loads []time.Duration
		e := newEnforcer(logr.Discard(), func(context.Context, string) error {
			loads = append(loads, time.Since(began))
			if refuse--; refuse >= 0 {
				return errors.New("refused")
			}
			return nil
		})
		s := readState(t, "testdata/cluster.yaml", "testdata/deny-all.yaml")
		ctx, stop := context.WithCancel(t.Context())
		go e.run(ctx, func() (state, error) { return s, nil })
		time.Sleep(time.Second)
		if e.ready.Load() {
			t.Error("ready although nothing was loaded")
		}
		time.Sleep(9 * time.Second)
		e.wake() // for nothing
		synctest.Wait()
		if !e.ready.Load() {
			t.Error("not ready although a ruleset was loaded")
		}
		s.policies = nil
		e.wake()
		synctest.Wait()
		stop()
		want := []time.Duration{0, firstRetry, 3 * firstRetry, 10 * time.Second}
		if diff := cmp.Diff(want, loads); diff != "" {
			t.Errorf("loads (-want +got):\n%s", diff)
		}
	})
}

// TestSync: a change that comes while a ruleset is being loaded waits for the next, as with a plugin that is slow.
func TestSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const round = 3 * time.Second
		began := time.Now()
		type loaded struct {
			At       time.Duration
			Policies int
		}
		var loads []loaded
		e := newEnforcer(logr.Discard(), func(_ context.Context, ruleset string) error {
			loads = append(loads, loaded{time.Since(began), strings.Count(ruleset, "chain policy/shop/")})
			return nil
		})
		e.sync = round
		s := readState(t, "testdata/cluster.yaml", "testdata/deny-all.yaml")
		var mu sync.Mutex
		set := func(policies []*networkingv1.NetworkPolicy) {
			mu.Lock()
			defer mu.Unlock()
			s.policies = policies
		}
		policies := s.policies
		set(nil)
		ctx, stop := context.WithCancel(t.Context())
		go e.run(ctx, func() (state, error) {
			mu.Lock()
			defer mu.Unlock()
			return s, nil
		})
		time.Sleep(time.Second) // the first sync is under way and knows no policy
		set(policies)
		e.wake()
		time.Sleep(9 * time.Second)
		set(nil)
		e.wake()
		time.Sleep(round - time.Millisecond)
		stop() // a sync that is cut off loads nothing
		synctest.Wait()
		want := []loaded{{round, 0}, {2 * round, 2}}
		if diff := cmp.Diff(want, loads); diff != "" {
			t.Errorf("loads (-want +got):\n%s", diff)
		}
	})
}

// TestWatch reads a policy that was there and one that comes.
func TestWatch(t *testing.T) {
	policy := func(name string) *networkingv1.NetworkPolicy {
		return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	}
	client, err := kubernetes.NewForConfig(apiserver.StartForTest(t, apiserver.Options{}).Config)
	if err != nil {
		t.Fatal(err)
	}
	policies := client.NetworkingV1().NetworkPolicies("shop")
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), shop, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := policies.Create(t.Context(), policy("first"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wakes := make(chan struct{}, 100)
	read, err := watch(t.Context(), client, func() { wakes <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	count := func() int {
		s, err := read()
		if err != nil {
			t.Fatal(err)
		}
		return len(s.policies)
	}
	if got := count(); got != 1 {
		t.Errorf("%d policies at first, want 1", got)
	}
	if _, err := policies.Create(t.Context(), policy("second"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for count() < 2 { // each wake-up is worth a look
		select {
		case <-wakes:
		case <-time.After(patience):
			t.Fatal("nothing woke for the second policy")
		}
	}
}

func TestCheckBridge(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"no bridge": {},
		"judged": {files: map[string]string{
			"sys/class/net/cni0/address":                   "",
			"proc/sys/net/bridge/bridge-nf-call-iptables":  "1\n",
			"proc/sys/net/bridge/bridge-nf-call-ip6tables": "1\n",
		}},
		"switched off": {
			files: map[string]string{
				"sys/class/net/cni0/address":                   "",
				"proc/sys/net/bridge/bridge-nf-call-iptables":  "1\n",
				"proc/sys/net/bridge/bridge-nf-call-ip6tables": "0\n",
			},
			want: "net.bridge.bridge-nf-call-ip6tables is 0",
		},
		"not in the kernel": {files: map[string]string{"sys/class/net/cni0/address": ""}, want: "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, content := range test.files {
				path := filepath.Join(root, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
					os.WriteFile(path, []byte(content), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			err := checkBridge(root, "cni0")
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestClearTable leaves other tables alone, and the base chain.
func TestClearTable(t *testing.T) {
	const listed = `table inet other {
	chain mine {
	}
}
table inet fqdn_egress_e2e {
	chain forward {
		type filter hook forward priority filter - 5; policy accept;
	}
	chain pod/shop/web/egress {
	}
}
table inet another {
	chain forward {
	}
}
`
	const want = "flush table inet fqdn_egress_e2e\ndelete chain inet fqdn_egress_e2e pod/shop/web/egress\n"
	if diff := cmp.Diff(want, clearTable(listed)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
