// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// Where the world of world.yaml and the controller of config/default live.
const (
	worldNamespace      = "fqdn-egress-e2e"
	controllerNamespace = "fqdn-egress-system"
	controllerName      = "fqdn-egress-controller"
	image               = "fqdn-egress-e2e:dev"
)

//go:embed world.yaml
var worldManifests []byte

type cluster struct {
	config   *rest.Config
	client   client.Client
	kube     kubernetes.Interface
	free     pod    // no policy selects it
	corefile string // as it was
}

// connect does not fall back to ~/.kube/config: what the tests do to a cluster has to be asked for.
func connect() (*cluster, error) {
	path := os.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	if path == "" {
		return nil, errors.New("set KUBECONFIG to a cluster that can be thrown away, or run `make e2e`")
	}
	config, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil {
		return nil, fmt.Errorf("reading KUBECONFIG=%s: %w", path, err)
	}
	c := &cluster{}
	if c.config, err = clientcmd.NewDefaultClientConfig(*config, nil).ClientConfig(); err != nil {
		return nil, fmt.Errorf("reading KUBECONFIG=%s: %w", path, err)
	}
	c.config.QPS, c.config.Burst = -1, 0 // the API server has its own limits
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	if c.client, err = client.New(c.config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	c.kube, err = kubernetes.NewForConfig(c.config)
	return c, err
}

func (c *cluster) prepare(ctx context.Context) error {
	if err := c.gone(ctx, worldNamespace); err != nil { // of a run that was cut off
		return err
	}
	if err := c.apply(ctx, worldManifests); err != nil {
		return err
	}
	for _, name := range []string{"dns", "free"} {
		if err := c.rolledOut(ctx, worldNamespace, name); err != nil {
			return err
		}
	}
	if err := c.internetUp(ctx); err != nil {
		return err
	}
	if err := c.forwardToOurDNS(ctx); err != nil {
		return err
	}
	if err := c.findFree(ctx); err != nil {
		return err
	}
	if err := c.dnsAnswers(ctx); err != nil {
		return err
	}
	return c.rolledOut(ctx, controllerNamespace, controllerName)
}

func (c *cluster) findFree(ctx context.Context) error {
	pods := &corev1.PodList{}
	if err := c.client.List(ctx, pods, client.InNamespace(worldNamespace), client.MatchingLabels{"app": "free"}); err != nil {
		return err
	}
	if ips := pods.Items[0].Status.PodIPs; len(ips) < 2 {
		return fmt.Errorf("pods have the addresses %v: the tests need a cluster with IPv4 and IPv6", ips)
	}
	c.free = pod{cluster: c, namespace: worldNamespace, name: pods.Items[0].Name}
	return nil
}

// dnsAnswers waits until a pod's lookups are answered, many in a row: after the Deployment is rolled out, nodes can send
// lookups to the former pods for a moment.
func (c *cluster) dnsAnswers(ctx context.Context) error {
	return c.until(ctx, func(ctx context.Context) error {
		for range 20 {
			if err := c.free.exec(ctx, nil, io.Discard, "getent", "hosts", "kubernetes.default.svc.cluster.local"); err != nil {
				return fmt.Errorf("a pod's lookups: %w", err)
			}
		}
		return nil
	})
}

// restore leaves the cluster as it was, unless KEEP says that somebody wants to look around.
func (c *cluster) restore(ctx context.Context) error {
	if os.Getenv("KEEP") != "" {
		return nil
	}
	return errors.Join(c.setCorefile(ctx, c.corefile), c.deleteNamespace(ctx, worldNamespace))
}

func (c *cluster) apply(ctx context.Context, manifests []byte) error {
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(object)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.client.Create(ctx, object); err != nil {
			return err
		}
	}
}

func (c *cluster) rolledOut(ctx context.Context, namespace, name string) error {
	return c.until(ctx, func(ctx context.Context) error {
		d := &appsv1.Deployment{}
		if err := c.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, d); err != nil {
			return err
		}
		want, s := *d.Spec.Replicas, d.Status
		if s.ObservedGeneration < d.Generation || s.Replicas != want || s.UpdatedReplicas != want || s.AvailableReplicas != want {
			return fmt.Errorf("deployment %s/%s: %d of %d pods are available", namespace, name, s.AvailableReplicas, want)
		}
		return nil
	})
}

func (c *cluster) internetUp(ctx context.Context) error {
	return c.until(ctx, func(ctx context.Context) error {
		d := &appsv1.DaemonSet{}
		if err := c.client.Get(ctx, client.ObjectKey{Namespace: worldNamespace, Name: "internet"}, d); err != nil {
			return err
		}
		if s := d.Status; s.DesiredNumberScheduled == 0 || s.NumberReady != s.DesiredNumberScheduled {
			return fmt.Errorf("the internet is up on %d of %d nodes", s.NumberReady, s.DesiredNumberScheduled)
		}
		return nil
	})
}

// forwarding is what CoreDNS forwards to.
var forwarding = regexp.MustCompile(`forward \. [^{\n]+`)

// forwardToOurDNS makes our server answer for all names outside of the cluster.
func (c *cluster) forwardToOurDNS(ctx context.Context) error {
	service, err := c.kube.CoreV1().Services(worldNamespace).Get(ctx, "dns", metav1.GetOptions{})
	if err != nil {
		return err
	}
	configMap, err := c.kube.CoreV1().ConfigMaps("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
	if err != nil {
		return err
	}
	c.corefile = configMap.Data["Corefile"]
	if !forwarding.MatchString(c.corefile) {
		return errors.New("the Corefile of kube-system/coredns has no `forward .` to change")
	}
	if err := c.setCorefile(ctx, forwarding.ReplaceAllString(c.corefile, "forward . "+service.Spec.ClusterIP+" ")); err != nil {
		return err
	}
	// New pods, as CoreDNS reads a changed Corefile only every 30 s and some.
	now := int64(0)
	dns := client.MatchingLabels{"k8s-app": "kube-dns"}
	err = c.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace("kube-system"), dns,
		&client.DeleteAllOfOptions{DeleteOptions: client.DeleteOptions{GracePeriodSeconds: &now}})
	if err != nil {
		return err
	}
	return c.rolledOut(ctx, "kube-system", "coredns")
}

func (c *cluster) setCorefile(ctx context.Context, corefile string) error {
	configMaps := c.kube.CoreV1().ConfigMaps("kube-system")
	configMap, err := configMaps.Get(ctx, "coredns", metav1.GetOptions{})
	if err != nil {
		return err
	}
	configMap.Data["Corefile"] = corefile
	_, err = configMaps.Update(ctx, configMap, metav1.UpdateOptions{})
	return err
}

func (c *cluster) deleteNamespace(ctx context.Context, name string) error {
	err := c.client.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	return client.IgnoreNotFound(err)
}

// gone deletes a namespace and waits until it is.
func (c *cluster) gone(ctx context.Context, name string) error {
	if err := c.deleteNamespace(ctx, name); err != nil {
		return err
	}
	return c.until(ctx, func(ctx context.Context) error {
		err := c.client.Get(ctx, client.ObjectKey{Name: name}, &corev1.Namespace{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(err, fmt.Errorf("namespace %s is still there", name))
	})
}

// until asks what does not announce itself again and again until there is no error. The last one is returned.
func (c *cluster) until(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if err := check(ctx); ctx.Err() == nil {
			last = err
		}
		return last == nil && ctx.Err() == nil, nil
	})
	if err != nil {
		return fmt.Errorf("after %s: %w", patience, errors.Join(last, err))
	}
	return nil
}
