// An operator on controller-runtime: it owns a ConfigMap for each Widget, waits with a finalizer,
// and says in the status what it did. It ends when it is told to.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const finalizer = "clients.example.com/operator"

var widgets = schema.GroupVersionKind{Group: "clients.example.com", Version: "v1", Kind: "Widget"}

type reconciler struct{ client.Client }

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	widget := &unstructured.Unstructured{}
	widget.SetGroupVersionKind(widgets)
	if err := r.Get(ctx, request.NamespacedName, widget); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "of-" + widget.GetName(), Namespace: widget.GetNamespace()}}
	if !widget.GetDeletionTimestamp().IsZero() {
		controllerutil.RemoveFinalizer(widget, finalizer)
		return ctrl.Result{}, client.IgnoreNotFound(r.Update(ctx, widget))
	}
	if controllerutil.AddFinalizer(widget, finalizer) {
		return ctrl.Result{}, r.Update(ctx, widget)
	}
	size, _, _ := unstructured.NestedInt64(widget.Object, "spec", "size")
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, owned, func() error {
		owned.Data = map[string]string{"size": fmt.Sprint(size)}
		return controllerutil.SetControllerReference(widget, owned, r.Scheme())
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	before := widget.DeepCopy()
	_ = unstructured.SetNestedField(widget.Object, size, "status", "seen")
	return ctrl.Result{}, r.Status().Patch(ctx, widget, client.MergeFrom(before))
}

func main() {
	ctrl.SetLogger(zap.New())
	namespace, lease, renew := os.Args[1], 6*time.Second, 4*time.Second
	manager, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Metrics:                 server.Options{BindAddress: "0"},
		Cache:                   cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
		LeaderElection:          true,
		LeaderElectionID:        "operator.clients.example.com",
		LeaderElectionNamespace: namespace,
		LeaseDuration:           &lease,
		RenewDeadline:           &renew,
	})
	if err == nil {
		widget := &unstructured.Unstructured{}
		widget.SetGroupVersionKind(widgets)
		err = ctrl.NewControllerManagedBy(manager).For(widget).Owns(&corev1.ConfigMap{}).
			Complete(&reconciler{manager.GetClient()})
	}
	if err == nil {
		err = manager.Start(ctrl.SetupSignalHandler())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
