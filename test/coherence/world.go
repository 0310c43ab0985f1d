// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/controller"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

// world is all that runs.
type world struct {
	options    *options
	dir        string // for the controller binary and logs
	sites      map[string]*site
	plane      *apiserver.Server
	client     client.WithWatch
	controller *controller.Process
	coredns    *controller.Child // nil with our own caches

	watching sync.WaitGroup
	watches  []watch.Interface
	mu       sync.Mutex
	err      error // of a watch or a pod
}

func measure(ctx context.Context, o *options) (_ []result, err error) {
	w := &world{options: o, sites: map[string]*site{}}
	defer func() { err = errors.Join(err, w.close()) }()
	if w.dir, err = os.MkdirTemp("", "fqdn-egress-coherence-"); err != nil {
		return nil, err
	}
	for i, s := range o.shapes {
		if w.sites[s.String()], err = newSite(i, s, o); err != nil {
			return nil, err
		}
	}
	if o.cache == "coredns" {
		if err := w.startCoreDNS(ctx); err != nil {
			return nil, err
		}
	}
	binary := o.controller
	if binary == "" {
		if binary, err = controller.Build(ctx, w.dir, os.Stderr); err != nil {
			return nil, err
		}
	}
	say("starting etcd and kube-apiserver")
	if err := w.startPlane(ctx); err != nil {
		return nil, err
	}
	if err := w.observe(ctx, binary); err != nil {
		return nil, err
	}
	var results []result
	for _, s := range o.shapes {
		results = append(results, w.sites[s.String()].result())
	}
	return results, nil
}

// startPlane also creates the policies and watches what becomes of them.
func (w *world) startPlane(ctx context.Context) (err error) {
	if w.plane, err = apiserver.Start(ctx, apiserver.Options{}); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if w.client, err = client.NewWithWatch(w.plane.Config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := w.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	for _, list := range []client.ObjectList{&networkingv1.NetworkPolicyList{}, &v1alpha1.FQDNEgressPolicyList{}} {
		opened, err := open(ctx, w.client, list)
		if err != nil {
			return err
		}
		w.watches = append(w.watches, opened)
		w.watching.Go(func() { w.note(follow(opened.ResultChan(), w.sites)) })
	}
	for _, s := range w.options.shapes {
		if err := w.client.Create(ctx, s.policy()); err != nil {
			return err
		}
	}
	return nil
}

// observe lets the pods loose, starts the controller at a moment that has nothing to do with the caches' entries, and looks.
func (w *world) observe(ctx context.Context, binary string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	interval := time.Second * time.Duration(len(w.sites)*podsPerShape) / time.Duration(w.options.lookups)
	var upstreams []string
	for _, s := range w.sites {
		upstreams = append(upstreams, s.upstreams...)
		for range podsPerShape {
			s.pods.Go(func() { w.note((&pod{site: s, interval: interval}).run(ctx)) })
		}
	}
	defer func() {
		cancel()
		for _, s := range w.sites {
			s.pods.Wait()
			s.connects.Wait()
		}
	}()
	if err := pause.For(ctx, 2*time.Second+rand.N(5*time.Second)); err != nil {
		return err
	}
	say("starting the controller; results in %s", w.options.duration)
	w.controller, err = controller.Start(controller.Options{
		Binary: binary, Kubeconfig: w.plane.Kubeconfig, Log: filepath.Join(w.logDir(), "controller.log"),
		Flags: append([]string{"--upstreams", strings.Join(upstreams, ",")}, w.options.controllerFlags...),
	})
	if err != nil {
		return err
	}
	end := time.Now().Add(w.options.duration)
	for time.Now().Before(end) {
		if err := errors.Join(pause.For(ctx, time.Second), w.controller.Failure(), w.failure()); err != nil {
			return err
		}
		for _, s := range w.sites {
			s.sample(time.Now())
		}
	}
	return nil
}

func (w *world) logDir() string {
	if w.options.keptLogs != "" {
		return w.options.keptLogs
	}
	return w.dir
}

func (w *world) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, err)
}

func (w *world) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *world) close() error {
	var errs []error
	if w.controller != nil {
		w.controller.Kill()
	}
	if w.coredns != nil {
		w.coredns.Kill()
	}
	for _, opened := range w.watches {
		opened.Stop()
	}
	w.watching.Wait()
	if w.plane != nil {
		errs = append(errs, w.plane.Stop())
	}
	for _, s := range w.sites {
		if s != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}
