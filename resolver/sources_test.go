// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

func list(source UpstreamSource) string {
	us, _ := source.Upstreams()
	var s []string
	for _, u := range us {
		s = append(s, u.String())
	}
	return strings.Join(s, " ")
}

func TestNameservers(t *testing.T) {
	const text = `# nameserver 10.0.0.1
search example.com cluster.local
options ndots:5
nameserver 10.96.0.10
  nameserver	fd00::a
nameserver fe80::1%eth0 trailing
nameserver dns.example.com
nameserver
nameserver 10.96.0.10
nameserver 127.0.0.53
nameserver 9.9.9.9`
	if got, want := list(static(upstreamsOf(parseConf([]byte(text)).Nameservers))),
		"9.9.9.9:53 10.96.0.10:53 127.0.0.53:53 [fd00::a]:53 [fe80::1%eth0]:53"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestConf_ClusterFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want bool
	}{
		"ClusterFirst":                   {"search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.96.0.10\noptions ndots:5\n", true},
		"another cluster domain":         {"nameserver 10.0.0.10\nsearch kube-system.svc.k8s.corp.example svc.k8s.corp.example\n", true},
		"Default: the node's file":       {"search corp.example\nnameserver 10.1.0.53\n", false},
		"no search at all":               {"nameserver 10.1.0.53\n", false},
		"empty":                          {"", false},
		"a comment is none":              {"# search svc.cluster.local\nnameserver 10.1.0.53\n", false},
		"the last search counts":         {"search svc.cluster.local\nsearch corp.example\n", false},
		"domain is a search of its own":  {"search svc.cluster.local\ndomain corp.example\n", false},
		"svc inside of a domain is none": {"search shop.svc.example mysvc.example svc\n", false},
	} {
		if got := parseConf([]byte(tc.text)).ClusterFirst(); got != tc.want {
			t.Errorf("%s: ClusterFirst = %t, want %t", name, got, tc.want)
		}
	}
}

// write changes the file, and its time by a second each.
func write(t *testing.T, path, text string, second int64) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Unix(second, 0), time.Unix(second, 0)); err != nil {
		t.Fatal(err)
	}
}

func TestResolvConf_FollowsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	write(t, path, "nameserver 10.0.0.1\n", 1)
	clk := clocktesting.NewFakeClock(time.Unix(0, 0))
	r, err := NewResolvConf(path, clk, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Start(ctx) }()
	_, changed := r.Upstreams()

	write(t, path, "nameserver 10.0.0.2\n", 2)
	tick(t, clk)
	<-changed
	if got := list(r); got != "10.0.0.2:53" {
		t.Errorf("after a change: %s", got)
	}
	_, changed = r.Upstreams()
	write(t, path, "", 3) // somebody is writing it
	tick(t, clk)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	tick(t, clk)
	write(t, path, "search example.com\nnameserver 10.0.0.2\n", 4) // another text, the same upstreams
	tick(t, clk)
	select {
	case <-changed:
		t.Errorf("signalled although nothing changed: %s", list(r))
	default:
	}
	if got := list(r); got != "10.0.0.2:53" {
		t.Errorf("without a usable file: %s", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// tick lets the source look at its file once, and waits until it did.
func tick(t *testing.T, clk *clocktesting.FakeClock) {
	t.Helper()
	waitForWaiter(t, clk)
	clk.Step(resolvConfEvery)
	waitForWaiter(t, clk)
}

// waitForWaiter blocks until the source sleeps.
func waitForWaiter(t *testing.T, clk *clocktesting.FakeClock) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !clk.HasWaiters(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the source does not wait for its clock")
		}
	}
}

func TestNewResolvConf_MissingFile(t *testing.T) {
	if _, err := NewResolvConf(filepath.Join(t.TempDir(), "none"), nil, logr.Discard()); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestCluster(t *testing.T) {
	changed := make(chan struct{})
	source := Cluster(func() ([]netip.AddrPort, <-chan struct{}) {
		return []netip.AddrPort{netip.MustParseAddrPort("10.1.0.1:5353"), netip.MustParseAddrPort("[fd00::a]:53")}, changed
	})
	us, ch := source.Upstreams()
	if got := list(source); got != "10.1.0.1:5353 [fd00::a]:53" || ch != (<-chan struct{})(changed) {
		t.Errorf("got %s", got)
	}
	for _, u := range us {
		if !u.Cluster {
			t.Errorf("%v is not known to be the cluster's", u)
		}
	}
}

func TestMerge(t *testing.T) {
	oneProcessor(t)
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "resolv.conf")
		write(t, path, "nameserver 10.0.0.9\n", 1)
		system, err := NewResolvConf(path, nil, logr.Discard())
		if err != nil {
			t.Fatal(err)
		}
		first, second := newChanging(t, "10.0.0.2:53", "10.0.0.1:53"), newChanging(t, "10.0.0.2:53")
		m := Merge(Static(dnsclient.UDP(netip.MustParseAddrPort("10.0.0.3:53"))), first, second, system)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		start := func() {
			go func() { ended <- m.(starter).Start(ctx) }()
		}
		for _, step := range []struct {
			change func()
			want   string
		}{
			{func() { first.set("10.0.0.1:53"); start() }, "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53 10.0.0.9:53"}, // before it runs
			{func() { first.set("10.0.0.4:53") }, "10.0.0.2:53 10.0.0.3:53 10.0.0.4:53 10.0.0.9:53"},
			{func() { second.set() }, "10.0.0.3:53 10.0.0.4:53 10.0.0.9:53"},
			{func() { first.set("10.0.0.5:53") }, "10.0.0.3:53 10.0.0.5:53 10.0.0.9:53"},
			{func() { write(t, path, "nameserver 10.0.0.8\n", 2); time.Sleep(resolvConfEvery) }, "10.0.0.3:53 10.0.0.5:53 10.0.0.8:53"},
		} {
			_, changed := m.Upstreams()
			step.change()
			synctest.Wait()
			select {
			case <-changed:
			default:
				t.Errorf("no signal of the change to %s", step.want)
			}
			if got := list(m); got != step.want {
				t.Errorf("got %s, want %s", got, step.want)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

type failing struct{ UpstreamSource }

func (failing) Start(context.Context) error { return fmt.Errorf("no way") }

func TestResolver_EndsWhenASourceFails(t *testing.T) {
	w := newWorld(t, nil)
	r, err := New(w, Merge(failing{Static()}), Options{Exchanger: w})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("following upstreams: no way", fmt.Sprint(r.Start(t.Context()))); diff != "" {
		t.Error(diff)
	}
}
