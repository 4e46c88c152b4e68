"""How many replicas a HorizontalPodAutoscaler wants: arithmetic over values, without a view.

Source: kube-controller-manager `pkg/controller/podautoscaler`, Kubernetes 1.36.
"""
