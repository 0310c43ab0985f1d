// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	discoveryinformers "k8s.io/client-go/informers/discovery/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// watch is three informers and one wake-up. The wake-up carries nothing: who gets it reads objects.
type watch struct {
	service   cache.SharedIndexInformer // the one DNS Service, by name
	nodeLocal cache.SharedIndexInformer // NodeLocalService, by name
	endpoints cache.SharedIndexInformer
	wake      chan struct{} // holds one wake-up, so that a burst of events costs one reading

	mu      sync.Mutex
	lastErr error // of a list or watch, for the error of a sync that did not come about
}

func newWatch(client kubernetes.Interface, service types.NamespacedName) (*watch, error) {
	byName := func(name string) cache.SharedIndexInformer {
		return coreinformers.NewFilteredServiceInformer(client, service.Namespace, 0, cache.Indexers{},
			func(o *metav1.ListOptions) { o.FieldSelector = onlyNamed(name) })
	}
	w := &watch{
		service:   byName(service.Name),
		nodeLocal: byName(NodeLocalService),
		endpoints: discoveryinformers.NewFilteredEndpointSliceInformer(client, service.Namespace, 0, cache.Indexers{},
			func(o *metav1.ListOptions) { o.LabelSelector = slicesOf(service.Name) }),
		wake: make(chan struct{}, 1),
	}
	return w, errors.Join(w.listen(w.service), w.listen(w.nodeLocal), w.listen(w.endpoints))
}

func (w *watch) listen(informer cache.SharedIndexInformer) error {
	if err := informer.SetWatchErrorHandlerWithContext(w.failed); err != nil {
		return fmt.Errorf("setting watch error handler: %w", err)
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { w.wakeUp() },
		UpdateFunc: func(any, any) { w.wakeUp() },
		DeleteFunc: func(any) { w.wakeUp() },
	})
	if err != nil {
		return fmt.Errorf("adding event handler: %w", err)
	}
	return nil
}

// slicesOf selects the EndpointSlices of a Service, as kube-proxy does: by label, not by owner or name.
func slicesOf(service string) string {
	return labels.Set{discoveryv1.LabelServiceName: service}.String()
}

// onlyNamed selects one object by its name. A permission that is limited to that name (resourceNames) covers such a list and watch.
func onlyNamed(name string) string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
}

// start runs the informers until ctx ends or stop is called, which returns when all their goroutines have ended.
func (w *watch) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, informer := range []cache.SharedIndexInformer{w.service, w.nodeLocal, w.endpoints} {
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// waitForSync returns nil when all caches are complete; when ctx ended before, why, and what kept them from it.
func (w *watch) waitForSync(ctx context.Context) error {
	if cache.WaitFor(ctx, "", w.service.HasSyncedChecker(), w.nodeLocal.HasSyncedChecker(), w.endpoints.HasSyncedChecker()) {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lastErr == nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), w.lastErr)
}

// failed remembers why a list or watch ended and leaves the rest to client-go, which logs it, backs off and tries again.
func (w *watch) failed(ctx context.Context, r *cache.Reflector, err error) {
	if ctx.Err() == nil {
		w.remember(err)
	}
	cache.DefaultWatchErrorHandler(ctx, r, err)
}

func (w *watch) remember(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastErr = err
}

func (w *watch) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) objects() objects {
	o := objects{service: onlyService(w.service), nodeLocal: onlyService(w.nodeLocal) != nil}
	for _, item := range w.endpoints.GetStore().List() {
		if slice, ok := item.(*discoveryv1.EndpointSlice); ok {
			o.slices = append(o.slices, slice)
		}
	}
	return o
}

// onlyService returns the Service that an informer of one name has; nil: there is none.
func onlyService(informer cache.SharedIndexInformer) *corev1.Service {
	for _, item := range informer.GetStore().List() {
		if service, ok := item.(*corev1.Service); ok {
			return service
		}
	}
	return nil
}
