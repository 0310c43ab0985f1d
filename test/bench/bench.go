// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/controller"
	"github.com/fqdn-egress/fqdn-egress/test/tenants"
)

// floorNamespace is where the floor writes. The policies that the controller sees are in others, see [namespaceName].
const floorNamespace = "floor"

// controllerUser is the controller's name at the API server, by which its writes are told from ours.
const controllerUser = "bench-controller"

// bench is what all scenarios share.
type bench struct {
	options *options
	report  *report
	dir     string // for the controller binary, the audit log and the controller's log

	plane  *apiserver.Server
	client client.WithWatch // without a client-side rate limit
	audit  *auditLog
	binary string           // of the controller
	access apiserver.Access // of the controller
	sample *sample          // nil until the first floor

	deployment controller.Deployment
	grown      []growth // of the scenario scale
}

func newBench(ctx context.Context, o *options) (_ *bench, err error) {
	dir, err := os.MkdirTemp("", "fqdn-egress-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, report: newReport(os.Stdout), dir: dir, binary: o.controller}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.deployment, err = controller.Deployed(); err != nil {
		return nil, err
	}
	if err := b.buildController(ctx); err != nil {
		return nil, err
	}
	b.say("starting etcd and kube-apiserver")
	audit, flags, err := newAuditLog(dir)
	if err != nil {
		return nil, err
	}
	b.audit = audit
	if b.plane, err = apiserver.Start(ctx, apiserver.Options{APIServerFlags: flags}); err != nil {
		return nil, err
	}
	if b.access, err = b.plane.User(controllerUser, "system:masters"); err != nil {
		return nil, err
	}
	if b.client, err = newClient(b.plane); err != nil {
		return nil, err
	}
	return b, errors.Join(b.namespace(ctx, floorNamespace), b.warmUp(ctx))
}

// warmUp creates an object of each kind and deletes it: the first policy that an API server takes costs it two seconds, for the
// rules of the CRD.
func (b *bench) warmUp(ctx context.Context) error {
	policy := tenants.Policy(floorNamespace, "first", "first.bench.example")
	networkPolicy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: floorNamespace, Name: "first"}}
	return errors.Join(b.client.Create(ctx, policy), b.client.Create(ctx, networkPolicy), b.clear(ctx, floorNamespace))
}

// namespace makes one unless it is there.
func (b *bench) namespace(ctx context.Context, name string) error {
	err := b.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func newClient(plane *apiserver.Server) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.NewWithWatch(plane.Config, client.Options{Scheme: scheme})
}

// buildController builds what is measured, as it is shipped: without the race detector.
func (b *bench) buildController(ctx context.Context) (err error) {
	if b.binary != "" {
		return nil
	}
	b.say("building the controller")
	b.binary, err = controller.Build(ctx, b.dir, os.Stderr)
	return err
}

func (b *bench) close() error {
	var err error
	if b.plane != nil {
		err = b.plane.Stop()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// clear empties namespaces of all that the measurements make.
func (b *bench) clear(ctx context.Context, namespaces ...string) error {
	for _, namespace := range namespaces {
		for _, kind := range []client.Object{&v1alpha1.FQDNEgressPolicy{}, &networkingv1.NetworkPolicy{}} {
			if err := b.client.DeleteAllOf(ctx, kind, client.InNamespace(namespace)); err != nil {
				return fmt.Errorf("clearing namespace %s: %w", namespace, err)
			}
		}
	}
	return nil
}

// say tells on standard error what is going on; the figures go to standard output.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
