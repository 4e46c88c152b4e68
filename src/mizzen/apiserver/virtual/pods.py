"""PodMetrics: the resource of metrics.k8s.io is called as that of core."""

from mizzen.apiserver import usage_metrics

HANDLERS = {"get": usage_metrics.pods, "list": usage_metrics.pods}
