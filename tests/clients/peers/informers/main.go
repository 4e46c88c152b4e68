// A controller on client-go alone: shared informers, a rate-limited queue, server-side apply,
// leader election, the dynamic client. It prints one JSON object a line, and ends by itself.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
	"k8s.io/client-go/util/workqueue"
)

const (
	deadline = 60 * time.Second
	objects  = 20
)

func say(fields map[string]any) {
	line, err := json.Marshal(fields)
	check(err)
	fmt.Println(string(line))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	check(err)
	config.QPS, config.Burst = 200, 200
	if len(os.Args) > 3 && os.Args[3] == "protobuf" {
		config.ContentType = "application/vnd.kubernetes.protobuf"
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	scenario, namespace := os.Args[1], os.Args[2]
	switch scenario {
	case "reconcile":
		reconcile(ctx, config, namespace)
	case "elect":
		elect(ctx, config, namespace)
	case "dynamic":
		dynamically(ctx, config, namespace)
	case "update":
		update(ctx, config, namespace)
	default:
		check(fmt.Errorf("no scenario %q", scenario))
	}
}

// reconcile copies each labelled ConfigMap into another, by server-side apply, until all are there.
func reconcile(ctx context.Context, config *rest.Config, namespace string) {
	client := kubernetes.NewForConfigOrDie(config)
	maps := client.CoreV1().ConfigMaps(namespace)
	factory := informers.NewSharedInformerFactoryWithOptions(client, time.Minute,
		informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = "copy in (yes, please)" }))
	informer := factory.Core().V1().ConfigMaps()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	add := func(obj any) {
		key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj)
		check(err)
		queue.Add(key)
	}
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, UpdateFunc: func(_, obj any) { add(obj) }, DeleteFunc: add,
	})
	check(err)
	lister := informer.Lister().ConfigMaps(namespace)
	for number := range objects / 2 { // half of them are there before the informer is
		check(create(ctx, maps.Create, number))
	}
	factory.Start(ctx.Done())
	for kind, done := range factory.WaitForCacheSync(ctx.Done()) {
		if !done {
			check(fmt.Errorf("%v did not synchronise", kind))
		}
	}
	go func() {
		for number := objects / 2; number < objects; number++ {
			check(create(ctx, maps.Create, number))
		}
	}()
	copied := map[string]bool{}
	for len(copied) < objects {
		key, shut := queue.Get()
		if shut {
			check(fmt.Errorf("the queue ended"))
		}
		_, name, err := cache.SplitMetaNamespaceKey(key)
		check(err)
		source, err := lister.Get(name)
		if apierrors.IsNotFound(err) {
			queue.Done(key)
			continue
		}
		check(err)
		wish := applycorev1.ConfigMap("copy-of-"+name, namespace).WithData(source.Data)
		_, err = maps.Apply(ctx, wish, metav1.ApplyOptions{FieldManager: "copier"})
		check(err)
		copied[name] = true
		queue.Forget(key)
		queue.Done(key)
	}
	foreign := applycorev1.ConfigMap("copy-of-c0", namespace).WithData(map[string]string{"n": "other"})
	_, err = maps.Apply(ctx, foreign, metav1.ApplyOptions{FieldManager: "stranger"})
	isConflict := apierrors.IsConflict(err)
	_, err = maps.Apply(ctx, foreign, metav1.ApplyOptions{FieldManager: "stranger", Force: true})
	check(err)
	check(maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "copy"}))
	for { // the informer hears of each deletion
		left, err := lister.List(labels.Everything())
		check(err)
		if len(left) == 0 {
			break
		}
		if ctx.Err() != nil {
			check(fmt.Errorf("%d are left in the cache", len(left)))
		}
		time.Sleep(20 * time.Millisecond)
	}
	say(map[string]any{"copied": len(copied), "conflict": isConflict})
}

type creator func(context.Context, *corev1.ConfigMap, metav1.CreateOptions) (*corev1.ConfigMap, error)

func create(ctx context.Context, create creator, number int) error {
	_, err := create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("c%d", number), Labels: map[string]string{"copy": "yes"}},
		Data:       map[string]string{"n": fmt.Sprint(number)},
	}, metav1.CreateOptions{})
	return err
}

// elect has two candidates: the second leads once the first has let go.
func elect(ctx context.Context, config *rest.Config, namespace string) {
	client := kubernetes.NewForConfigOrDie(config)
	order := make(chan string, 4)
	stand := func(ctx context.Context, name string, lead func()) {
		lock, err := resourcelock.New(resourcelock.LeasesResourceLock, namespace, "seat",
			client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: name})
		check(err)
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, ReleaseOnCancel: true,
			LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { order <- name; lead() },
				OnStoppedLeading: func() {},
			},
		})
	}
	first, resign := context.WithCancel(ctx)
	second, end := context.WithCancel(ctx)
	defer end()
	started := make(chan struct{})
	go stand(first, "first", func() { close(started) })
	<-started
	go stand(second, "second", func() {})
	time.Sleep(time.Second) // the second asks, and is refused, meanwhile
	resign()
	seen := []string{<-order, <-order}
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, "seat", metav1.GetOptions{})
	check(err)
	say(map[string]any{"order": seen, "holder": lease.Spec.HolderIdentity, "transitions": lease.Spec.LeaseTransitions})
}

// dynamically works on a custom kind: dynamic client and informer, metadata client, every patch.
func dynamically(ctx context.Context, config *rest.Config, namespace string) {
	widgets := schema.GroupVersionResource{Group: "clients.example.com", Version: "v1", Resource: "widgets"}
	client := dynamic.NewForConfigOrDie(config)
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, namespace, nil)
	informer := factory.ForResource(widgets).Informer()
	seen := make(chan string, 100)
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { seen <- "added" },
		UpdateFunc: func(any, any) { seen <- "updated" },
		DeleteFunc: func(any) { seen <- "deleted" },
	})
	check(err)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	here := client.Resource(widgets).Namespace(namespace)
	wish := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "clients.example.com/v1", "kind": "Widget",
		"metadata": map[string]any{"name": "w"}, "spec": map[string]any{"size": int64(1)},
	}}
	_, err = here.Create(ctx, wish, metav1.CreateOptions{})
	check(err)
	events := []string{<-seen}
	_, err = here.Patch(ctx, "w", types.MergePatchType, []byte(`{"spec":{"size":2}}`), metav1.PatchOptions{})
	check(err)
	events = append(events, <-seen)
	_, err = here.Patch(ctx, "w", types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/size","value":3}]`), metav1.PatchOptions{})
	check(err)
	events = append(events, <-seen)
	wish.Object["spec"] = map[string]any{"color": "red"}
	_, err = here.Apply(ctx, "w", wish, metav1.ApplyOptions{FieldManager: "painter"})
	check(err)
	events = append(events, <-seen)
	wish.Object["status"] = map[string]any{"ready": true}
	_, err = here.ApplyStatus(ctx, "w", wish, metav1.ApplyOptions{FieldManager: "painter"})
	check(err)
	events = append(events, <-seen)
	_, wrong := here.Patch(ctx, "w", types.MergePatchType, []byte(`{"spec":{"size":"big"}}`), metav1.PatchOptions{})
	only, err := metadata.NewForConfigOrDie(config).Resource(widgets).Namespace(namespace).List(ctx, metav1.ListOptions{})
	check(err)
	found, err := here.Get(ctx, "w", metav1.GetOptions{})
	check(err)
	check(here.Delete(ctx, "w", metav1.DeleteOptions{}))
	events = append(events, <-seen)
	say(map[string]any{
		"events": events, "spec": found.Object["spec"], "status": found.Object["status"],
		"invalid": apierrors.IsInvalid(wrong), "metadata": len(only.Items), "kind": only.Items[0].Kind,
	})
}

// update has five writers of one counter, who try again on each conflict.
func update(ctx context.Context, config *rest.Config, namespace string) {
	client := kubernetes.NewForConfigOrDie(config)
	maps := client.CoreV1().ConfigMaps(namespace)
	_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "counter-"}}, metav1.CreateOptions{DryRun: []string{"All"}})
	check(err)
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "counter"}, Data: map[string]string{"n": "0"}}, metav1.CreateOptions{})
	check(err)
	done := make(chan error)
	backoff := retry.DefaultBackoff
	backoff.Steps = 50
	for range 5 {
		go func() {
			done <- retry.RetryOnConflict(backoff, func() error {
				found, err := maps.Get(ctx, "counter", metav1.GetOptions{})
				if err != nil {
					return err
				}
				var n int
				fmt.Sscan(found.Data["n"], &n)
				found.Data["n"] = fmt.Sprint(n + 1)
				_, err = maps.Update(ctx, found, metav1.UpdateOptions{})
				return err
			})
		}()
	}
	for range 5 {
		check(<-done)
	}
	found, err := maps.Get(ctx, "counter", metav1.GetOptions{})
	check(err)
	say(map[string]any{"counter": found.Data["n"]})
}
