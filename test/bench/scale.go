// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

const (
	// scaleNamespaces is over how many namespaces the policies are spread.
	scaleNamespaces = 100
	// scaleNames is how many distinct names the policies list together at most.
	scaleNames = 50_000
	// The TTLs are spread evenly from the shortest to the longest.
	scaleTTL, scaleLongestTTL = dnstest.TTL(5 * time.Second), dnstest.TTL(300 * time.Second)
	// scaleQPS is what one server is asked at most: 100,000 first questions, and 1,390 a second later, are more than the default.
	scaleQPS = "20000"
	// readyWithin is how long a restarted controller may take to be ready.
	readyWithin = 10
)

// growth is what was measured with one number of policies.
type growth struct {
	policies, names int

	create                    time.Duration // first create of a policy -> the last create returned; what follows overlaps with it
	converge                  time.Duration // first create -> the last NetworkPolicy was complete
	lastWrite                 time.Duration // first create -> the API server answered the controller's last write
	plainCreate               time.Duration // what a plain client took for the same policies and NetworkPolicies, without a controller
	convergeCPU               float64       // seconds of the controller until all was quiet
	steadyWrites              writes
	steadyQueries, steadyDue  float64 // in all; 2 for each name and TTL, on average
	tooOften                  int     // questions in that time beyond one at each end of a TTL
	steadyCPU                 float64 // seconds of the controller a minute
	heap, emptyHeap, resident float64 // bytes
	peak                      float64 // bytes, the most that was resident until the restart
	ready                     time.Duration
	restartWrites             writes
}

// scale measures how the cost grows with the number of policies.
func (b *bench) scale(ctx context.Context) ([]figure, error) {
	var figures []figure
	for _, n := range b.options.scale {
		b.say("%d policies", n)
		g, err := b.grow(ctx, n)
		if err != nil {
			return figures, fmt.Errorf("%d policies: %w", n, err)
		}
		b.grown = append(b.grown, g)
		figures = append(figures, g.figures(float64(b.deployment.MemoryLimit))...)
	}
	return figures, nil
}

func (b *bench) grow(ctx context.Context, n int) (growth, error) {
	w := workload{
		policies: n, perPolicy: b.options.namesPerPolicy, names: min(scaleNames, n*b.options.namesPerPolicy), namespaces: scaleNamespaces,
		ttl: scaleTTL, longestTTL: scaleLongestTTL,
	}
	g := growth{policies: n, names: w.distinct()}
	written := &networkingv1.NetworkPolicyList{}
	err := b.during(ctx, w, func(t *trial) error {
		for _, step := range []func(context.Context, *growth) error{t.growConverge, t.growSteady, t.growRestart} {
			if err := step(ctx, &g); err != nil {
				return err
			}
		}
		return b.client.List(ctx, written)
	}, "--max-qps", scaleQPS)
	if err != nil {
		return g, err
	}
	g.plainCreate, err = b.plainCreate(ctx, w, written.Items)
	return g, err
}

// growConverge creates the policies and weighs the controller before and after.
func (t *trial) growConverge(ctx context.Context, g *growth) error {
	empty, err := t.footprint(ctx)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("scale-%d", g.policies)
	profiled := max(convergeProfile, time.Duration(g.policies)*time.Second/200) // what grows with the policies comes late
	stopProfile := t.startProfile(ctx, name, profiled)
	began := time.Now()
	if err := t.createAll(ctx); err != nil {
		return err
	}
	g.create, g.converge = t.lastCreate.Sub(began), t.complete.Sub(began)
	if err := stopProfile(); err != nil {
		return err
	}
	if err := t.settle(ctx); err != nil {
		return err
	}
	w, err := t.audit.since(t.begun)
	if err != nil {
		return err
	}
	g.lastWrite = w.last.Sub(began.Round(0)) // both are of this machine's wall clock
	if g.convergeCPU, err = t.cpuSeconds(ctx); err != nil {
		return err
	}
	full, err := t.footprint(ctx)
	g.heap, g.emptyHeap, g.resident = full.heap, empty.heap, full.resident
	return err
}

// growSteady looks while nothing changes.
func (t *trial) growSteady(ctx context.Context, g *growth) error {
	stopProfile := t.startProfile(ctx, fmt.Sprintf("scale-%d-steady", g.policies), t.options.steadyFor)
	begun, err := t.audit.now()
	if err != nil {
		return err
	}
	cpu, err := t.cpuSeconds(ctx)
	if err != nil {
		return err
	}
	before, began := t.asked(), time.Now()
	if err := pause.For(ctx, t.options.steadyFor); err != nil {
		return err
	}
	took := time.Since(began)
	for k, n := range t.asked() {
		due := took.Seconds() / time.Duration(t.workload.ttlOf(k)).Seconds()
		g.steadyQueries += float64(n - before[k])
		g.steadyDue += 2 * due
		g.tooOften += max(n-before[k]-2*(int(due)+1), 0)
	}
	after, err := t.cpuSeconds(ctx)
	if err != nil {
		return err
	}
	g.steadyCPU = (after - cpu) / took.Minutes()
	if g.steadyWrites, err = t.audit.since(begun); err != nil {
		return err
	}
	if g.peak, err = t.controller.PeakMemory(); err != nil {
		return err
	}
	return stopProfile()
}

// asked returns how often each name was asked for.
func (t *trial) asked() []int {
	counts := make([]int, t.workload.names)
	for k := range counts {
		counts[k] = t.dns.Count(hostName(k))
	}
	return counts
}

// growRestart kills the controller and starts it again.
func (t *trial) growRestart(ctx context.Context, g *growth) error {
	begun, err := t.audit.now()
	if err != nil {
		return err
	}
	t.controller.Kill()
	t.dns.ForgetQueries()
	if g.ready, err = t.startController(ctx, "--max-qps", scaleQPS); err != nil {
		return err
	}
	if _, err := t.allAsked(ctx); err != nil {
		return err
	}
	if err := pause.For(ctx, 2*quiet); err != nil {
		return err
	}
	g.restartWrites, err = t.audit.since(begun)
	return err
}

// plainCreate returns how long a plain client takes to create the policies, and then their NetworkPolicies, without a controller.
func (b *bench) plainCreate(ctx context.Context, w workload, networkPolicies []networkingv1.NetworkPolicy) (time.Duration, error) {
	start := time.Now()
	err := parallel(ctx, w.policies, func(ctx context.Context, i int) error { return b.client.Create(ctx, w.policy(i)) })
	if err != nil {
		return 0, err
	}
	err = parallel(ctx, len(networkPolicies), func(ctx context.Context, i int) error {
		np := networkPolicies[i].DeepCopy()
		np.ResourceVersion, np.UID = "", ""
		return b.client.Create(ctx, np)
	})
	if err != nil {
		return 0, err
	}
	took := time.Since(start)
	return took, b.clear(ctx, w.allNamespaces()...)
}

// ratio is how many times longer the controller took than a plain client.
func (g growth) ratio() float64 { return g.converge.Seconds() / g.plainCreate.Seconds() }

// heapAim is 1.5 KiB a name and 6 KiB a policy.
func (g growth) heapAim() float64 { return 1536*float64(g.names) + 6144*float64(g.policies) }

func (g growth) figures(memoryLimit float64) []figure {
	name := func(s string) string { return fmt.Sprintf("%d: %s", g.policies, s) }
	what := fmt.Sprintf("%d names", g.names)
	mega := func(s string, bytes float64, span string) figure {
		return figure{Name: name(s), Value: bytes / (1 << 20), Unit: "MiB", Span: span}
	}
	return []figure{
		seconds(name("plain creates"), g.plainCreate, "a plain client with 16 workers, no controller: all policies, then their NetworkPolicies"),
		seconds(name("creates returned"), g.create, "first create of a policy -> the last returned, with the controller"),
		seconds(name("converge"), g.converge, "first create -> watch brought the last complete NetworkPolicy; "+what),
		figure{Name: name("converge / plain creates"), Value: g.ratio(), Unit: "x", Span: "of the same run"}.atMost(1.2),
		seconds(name("last write"), g.lastWrite, "first create -> the API server answered the controller's last write, of a status"),
		{Name: name("CPU until quiet"), Value: g.convergeCPU, Unit: "s", Span: "of the controller, since its start"},
		count(name("steady: API writes"), g.steadyWrites.total(), g.steadyWrites.String()).atMost(0),
		{Name: name("steady: DNS queries / due"), Value: g.steadyQueries / g.steadyDue, Unit: "x",
			Span: fmt.Sprintf("%.0f; due are 2 a name and TTL, on average", g.steadyQueries)},
		count(name("steady: DNS queries too early"), g.tooOften, "beyond one for each name, family and end of a TTL in that time").atMost(0),
		{Name: name("steady: CPU"), Value: g.steadyCPU, Unit: "s", Span: "of the controller, a minute"},
		mega("heap over empty", g.heap-g.emptyHeap, fmt.Sprintf("after garbage collection; aim 1.5 KiB a name + 6 KiB a policy; empty %.1f MiB", g.emptyHeap/(1<<20))).
			atMost(g.heapAim() / (1 << 20)),
		mega("resident", g.resident, "after garbage collection"),
		mega("resident at most", g.peak, "until then; aim: the limit of config/manager").atMost(memoryLimit / (1 << 20)),
		seconds(name("restart: ready"), g.ready, "process start -> /readyz said ok").atMost(readyWithin),
		count(name("restart: API writes"), g.restartWrites.total(), "until 14s after every name was asked; "+g.restartWrites.String()).atMost(0),
	}
}

// growthTable has a row for each number of policies, for docs/performance.md.
func growthTable(grown []growth) string {
	var b strings.Builder
	b.WriteString("| policies | names | plain creates, s | converge, s | ratio | CPU until quiet, s | heap over empty, MiB | aim | resident at most, MiB | " +
		"steady CPU, s/min | queries / due | too early | steady writes | ready, s | writes at restart |\n| ---: " + strings.Repeat("| ---: ", 14) + "|\n")
	for _, g := range grown {
		fmt.Fprintf(&b, "| %d | %d | %.2f | %.2f | %.2f | %.2f | %.1f | %.1f | %.0f | %.2f | %.2f | %d | %d | %.2f | %d |\n",
			g.policies, g.names, g.plainCreate.Seconds(), g.converge.Seconds(), g.ratio(), g.convergeCPU, (g.heap-g.emptyHeap)/(1<<20),
			g.heapAim()/(1<<20), g.peak/(1<<20), g.steadyCPU, g.steadyQueries/g.steadyDue, g.tooOften, g.steadyWrites.total(), g.ready.Seconds(),
			g.restartWrites.total())
	}
	return b.String()
}
