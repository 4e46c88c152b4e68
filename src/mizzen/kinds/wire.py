"""Field numbers of protobuf, which `kubectl create` and its like send: as much as kinds say of them.

What a field holds is in the kind's schema; only its number has to be said. `metadata` is 1 in every
object. Source: k8s.io/api `generated.proto`.
"""

from __future__ import annotations

from collections.abc import Mapping

Numbers = Mapping[str, "int | tuple[int, Numbers]"]  # field -> number, or that and its own fields

CONTAINER: Numbers = {
    "name": 1,
    "image": 2,
    "command": 3,
    "args": 4,
    "workingDir": 5,
    "env": (7, {"name": 1, "value": 2}),
    "imagePullPolicy": 14,
}
POD_SPEC: Numbers = {
    "containers": (2, CONTAINER),
    "restartPolicy": 3,
    "serviceAccountName": 8,
    "nodeName": 10,
    "priorityClassName": 24,
}
POD_TEMPLATE: Numbers = {"metadata": 1, "spec": (2, POD_SPEC)}
