// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What the tour is about: one of the policies of config/samples.
const (
	samples       = "config/samples"
	namespace     = "shop"
	policyName    = "web"
	networkPolicy = policyName + "-fqdn"
)

// patience is how long a step may take before the demo fails. Nothing is measured with it.
const patience = time.Minute

// tour is the list of what is shown, in order.
func tour(ctx context.Context, w *world) error {
	w.say.title("fqdn-egress: pods may reach the hosts that a policy names, by NetworkPolicies that follow DNS.")
	w.say.plain("Here: a real control plane, the real controller, and a DNS server to play with, all on loopback.\n")
	if err := w.start(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *world) error{
		declare, look, generated, move, grow, serverFails, blackHole, recovers, remove,
	} {
		if err := step(ctx, w); err != nil {
			return err
		}
	}
	w.say.plain("")
	w.say.title("Seen: names became rules, the rules followed DNS, and an outage of DNS took nothing away.")
	return nil
}

// declare applies the samples.
func declare(ctx context.Context, w *world) error {
	w.say.step("A team names the hosts that its pods may reach.")
	file := filepath.Join(samples, policyName+".yaml")
	sample, err := os.ReadFile(filepath.Join(w.root, file))
	if err != nil {
		return err
	}
	w.say.command("cat " + file)
	w.say.output(strings.TrimLeft(without(string(sample), "# Copyright", "# SPDX"), "\n"))
	return w.show(ctx, whole, "apply", "-k", samples)
}

// look shows the policies as their owners see them.
func look(ctx context.Context, w *world) error {
	w.say.step("The status says what each host resolves to.")
	if _, err := await(ctx, "every policy to be Ready", patience, w.allReady); err != nil {
		return err
	}
	if err := w.show(ctx, whole, "-n", namespace, "get", "fep"); err != nil {
		return err
	}
	return w.show(ctx, func(out string) string {
		return without(section(out, "Status:"), "Last Transition Time", "Observed Generation")
	}, "-n", namespace, "describe", "fep", policyName)
}

// generated shows the NetworkPolicy.
func generated(ctx context.Context, w *world) error {
	w.say.step("The controller wrote an ordinary NetworkPolicy: the cluster's DNS, the hosts, the database.")
	for _, addresses := range [][]string{answers()[movingName], answers()["cdn.example.org"]} {
		for _, a := range addresses {
			if err := w.allows(a)(ctx); err != nil {
				return err
			}
		}
	}
	return w.show(ctx, func(out string) string { return section(out, "spec:") },
		"-n", namespace, "get", "networkpolicy", networkPolicy, "-o", "yaml")
}

// remove deletes the policy.
func remove(ctx context.Context, w *world) error {
	w.say.step("The policy goes, and its NetworkPolicy with it; the default deny of the samples stays.")
	if err := w.show(ctx, whole, "-n", namespace, "delete", "fep", policyName); err != nil {
		return err
	}
	if _, err := await(ctx, "NetworkPolicy "+networkPolicy+" to be gone", patience, w.gone); err != nil {
		return err
	}
	return w.show(ctx, whole, "-n", namespace, "get", "networkpolicy")
}

func whole(out string) string { return out }
