// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/controller"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// retention is short here, so that an old address can be seen to go. The default is five minutes.
const retention = 5 * time.Second

// world is all that runs.
type world struct {
	say        *narrator
	root       string // of the repository
	dir        string // the binary and the log
	plane      *apiserver.Server
	client     client.Client
	dns        *dnstest.Server
	controller *controller.Process
}

// start brings everything up, or returns an error and leaves the rest to stop.
func (w *world) start(ctx context.Context) error {
	var err error
	if w.root, err = apiserver.Root(); err != nil {
		return err
	}
	if w.dir, err = os.MkdirTemp("", "fqdn-egress-demo-"); err != nil {
		return err
	}
	assets, err := apiserver.Assets(ctx, w.say)
	if err != nil {
		return err
	}
	err = w.say.timed("etcd, kube-apiserver and kube-controller-manager, with the CRD installed", func() error {
		w.plane, err = apiserver.Start(ctx, apiserver.Options{Assets: assets, ControllerManager: true})
		return err
	})
	if err != nil {
		return err
	}
	if err := w.prepareCluster(ctx); err != nil {
		return err
	}
	err = w.say.timed("a DNS server whose answers the demo changes", func() error {
		w.dns, err = dnstest.New("")
		return err
	})
	if err != nil {
		return err
	}
	setAnswers(w.dns)
	return w.say.timed("the controller, built from this directory", func() error { return w.startController(ctx) })
}

func (w *world) startController(ctx context.Context) error {
	binary, err := controller.Build(ctx, w.dir, w.say)
	if err != nil {
		return err
	}
	w.controller, err = controller.Start(controller.Options{
		Binary: binary, Kubeconfig: w.plane.Kubeconfig, Log: filepath.Join(w.dir, "controller.log"),
		Flags: []string{"--upstreams", w.dns.Addr().String(), "--retention", retention.String()},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err = w.controller.Ready(ctx)
	return err
}

// prepareCluster adds what every cluster has and this one lacks: the Service of the cluster's DNS.
func (w *world) prepareCluster(ctx context.Context) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	c, err := client.New(w.plane.Config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	w.client = c
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "kube-dns"},
		Spec: corev1.ServiceSpec{
			ClusterIP: "10.0.0.10",
			Selector:  map[string]string{"k8s-app": "kube-dns"},
			Ports: []corev1.ServicePort{
				{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53, TargetPort: intstr.FromInt32(53)},
				{Name: "dns-tcp", Protocol: corev1.ProtocolTCP, Port: 53, TargetPort: intstr.FromInt32(53)},
			},
		},
	}
	if err := c.Create(ctx, service); err != nil {
		return fmt.Errorf("creating the DNS Service: %w", err)
	}
	endpoints := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceSystem, Name: "kube-dns-demo", Labels: map[string]string{discoveryv1.LabelServiceName: "kube-dns"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.10"}}},
		Ports: []discoveryv1.EndpointPort{
			{Name: new("dns"), Protocol: new(corev1.ProtocolUDP), Port: new(int32(53))},
			{Name: new("dns-tcp"), Protocol: new(corev1.ProtocolTCP), Port: new(int32(53))},
		},
	}
	if err := c.Create(ctx, endpoints); err != nil {
		return fmt.Errorf("creating the endpoints of the DNS Service: %w", err)
	}
	return nil
}

// show runs the real kubectl, shows the command as a person would type it, and of what it printed what trim leaves.
func (w *world) show(ctx context.Context, trim func(string) string, args ...string) error {
	w.say.command("kubectl " + strings.Join(args, " "))
	out, err := w.kubectl(ctx, args...)
	if err != nil {
		return err
	}
	w.say.output(trim(out))
	return nil
}

func (w *world) kubectl(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	// What is shown with a relative path works from the root of the repository only.
	for i, arg := range args {
		if arg == samples {
			args = slices.Clone(args)
			args[i] = filepath.Join(w.root, samples)
		}
	}
	out, err := w.plane.Kubectl(ctx, args...)
	return string(out), err
}

// stop ends what runs and removes what was written. It may be called at any point.
func (w *world) stop() error {
	var errs []error
	if w.controller != nil {
		errs = append(errs, w.controller.Stop())
	}
	if w.plane != nil {
		errs = append(errs, w.plane.Stop())
	}
	if w.dns != nil {
		errs = append(errs, w.dns.Close())
	}
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

// logTail returns the end of the controller's log, or "".
func (w *world) logTail(n int) string {
	if w.controller == nil {
		return ""
	}
	return w.controller.Log.Tail(n)
}
