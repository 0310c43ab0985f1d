// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
)

// footprint is what the controller process holds after its garbage collector ran.
type footprint struct{ heap, resident float64 } // bytes

func (t *trial) footprint(ctx context.Context) (footprint, error) {
	// What the first run finds to be garbage may be freed by finalizers only before the second.
	var heap float64
	for range 2 {
		var err error
		if heap, err = t.collectGarbage(ctx); err != nil {
			return footprint{}, err
		}
	}
	resident, err := t.controller.Metric(ctx, "process_resident_memory_bytes")
	return footprint{heap: heap, resident: resident}, err
}

// memory measures what a name, a policy, an address and a question cost. Each comes from two runs that differ in little else: of
// the same names in policies of five and of a hundred, of half of the names, listed by three policies each, with more addresses, and from one more server. What a
// busy process holds beside all that, such as buffers and goroutines, is in no difference; it is a figure of its own.
func (b *bench) memory(ctx context.Context) ([]figure, error) {
	n := b.options.memoryNames
	in := func(names, perPolicy int) workload {
		return workload{policies: (names + perPolicy - 1) / perPolicy, perPolicy: perPolicy, names: names, namespaces: memoryNamespaces, ttl: longTTL}
	}
	many, few, half, shared, wide, twice := in(n, 5), in(n, 100), in(n/2, 100), in(n, 100), in(n, 100), in(n, 100)
	shared.policies *= 3
	wide.further = furtherAddresses
	twice.servers = 2
	var figures []figure
	heaps := map[string]float64{}
	for _, run := range []struct {
		name string
		workload
	}{{"many policies", many}, {"few policies", few}, {"half of the names", half}, {"names listed three times", shared}, {"more addresses", wide}, {"two servers", twice}} {
		empty, full, err := b.weigh(ctx, run.workload)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", run.name, err)
		}
		heaps[run.name] = full.heap - empty.heap
		figures = append(figures, weights(run.name, run.workload, empty, full)...)
	}
	policy := (heaps["many policies"] - heaps["few policies"]) / float64(many.policies-few.policies)
	name := (heaps["few policies"] - heaps["half of the names"] - policy*float64(few.policies-half.policies)) / float64(few.names-half.names)
	listing := (heaps["names listed three times"] - heaps["few policies"] - policy*float64(shared.policies-few.policies)) / float64(2*n)
	const alone = "heap after garbage collection, with what is cached of the API server; by the difference of two runs"
	return append(figures,
		bytesOf("a policy", policy, alone).atMost(aims().policy),
		bytesOf("a name", name, alone+"; with an address and a question in each family").atMost(aims().name),
		bytesOf("a listing", listing, alone+"; one more policy lists the name, and has its addresses").atMost(aims().listing),
		bytesOf("a busy process", heaps["few policies"]-policy*float64(few.policies)-name*float64(few.names), "what is left of the heap over empty"),
		bytesOf("an address", (heaps["more addresses"]-heaps["few policies"])/float64(n*furtherAddresses), alone+"; in one policy").atMost(aims().address),
		bytesOf("a question", (heaps["two servers"]-heaps["few policies"])/float64(2*n), alone+"; to one more server that says the same").
			atMost(aims().question),
	), nil
}

// furtherAddresses is how many more addresses each name has in the run that weighs them: those of 100 names fit into one object.
const furtherAddresses = 5

// memoryNamespaces are so many that none of them comes to its limits.
const memoryNamespaces = 10

func bytesOf(name string, bytes float64, span string) figure {
	return figure{Name: name, Value: bytes, Unit: "B", Span: span}
}

// weigh returns what the controller holds before and after it knows a workload.
func (b *bench) weigh(ctx context.Context, w workload) (empty, full footprint, err error) {
	err = b.during(ctx, w, func(t *trial) (err error) {
		if empty, err = t.footprint(ctx); err != nil {
			return err
		}
		if err := t.createAll(ctx); err != nil {
			return err
		}
		if err := t.settle(ctx); err != nil {
			return err
		}
		if full, err = t.footprint(ctx); err != nil {
			return err
		}
		return t.heapProfile(ctx, fmt.Sprintf("memory-%d-%d-%d", w.perPolicy, w.further, w.servers))
	}, "--max-qps", "100000") // the pace of the first answers is not what is measured
	return empty, full, err
}

func weights(run string, w workload, empty, full footprint) []figure {
	span := fmt.Sprintf("%d policies x %d names, after garbage collection; without policies ", w.policies, w.perPolicy)
	return []figure{
		{Name: run + ": heap", Value: full.heap / (1 << 20), Unit: "MiB", Span: span + number(empty.heap/(1<<20), "MiB")},
		{Name: run + ": resident", Value: full.resident / (1 << 20), Unit: "MiB", Span: span + number(empty.resident/(1<<20), "MiB")},
	}
}
