"""NodeMetrics and PodMetrics: asked of the nodes, never stored.

Source: k8s.io/metrics/pkg/apis/metrics/v1beta1.
"""

from __future__ import annotations

from mizzen.base.resources import NODE_METRICS, POD_METRICS
from mizzen.kinds.kind import Kind
from mizzen.kinds.meta import root
from mizzen.kinds.schema import QUANTITIES, STR, TIME, array, package

v1beta1 = package("io.k8s.metrics.pkg.apis.metrics.v1beta1")

_SPAN = {
    "timestamp": TIME("When it was measured."),
    "window": STR("Over how long."),
}
CONTAINER = v1beta1(
    "ContainerMetrics",
    "What a container uses.",
    name=STR("Its name."),
    usage=QUANTITIES("CPU and memory."),
)
_VERBS = ("get", "list")
KINDS = (
    Kind(
        resource=NODE_METRICS,
        is_stored=False,
        verbs=_VERBS,
        schema=root(
            NODE_METRICS,
            "What a node uses.",
            "io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetrics",
            **_SPAN,
            usage=QUANTITIES("CPU and memory."),
        ),
    ),
    Kind(
        resource=POD_METRICS,
        is_stored=False,
        verbs=_VERBS,
        schema=root(
            POD_METRICS,
            "What a pod uses.",
            "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics",
            **_SPAN,
            containers=array(CONTAINER)("What each of its containers uses."),
        ),
    ),
)
