"""Objects in which each form of protobuf's fields is, as JSON has them."""

from __future__ import annotations

from typing import Any

_META: dict[str, Any] = {
    "name": "x", "namespace": "n", "uid": "u", "resourceVersion": "12", "generation": 3,
    "creationTimestamp": "2027-01-15T08:00:00Z", "deletionGracePeriodSeconds": 0,
    "labels": {"a": "b", "empty": ""}, "finalizers": ["f"],
    "ownerReferences": [
        {"apiVersion": "v1", "kind": "Pod", "name": "o", "uid": "v", "controller": False}
    ],
    "managedFields": [
        {"manager": "m", "operation": "Apply", "apiVersion": "v1", "time": "2027-01-15T08:00:00Z",
         "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {}}}}
    ],
}  # fmt: skip
_CONTAINER: dict[str, Any] = {
    "name": "c", "image": "i", "command": ["sh", "-c", "true"],
    "env": [{"name": "A", "value": "1"},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
    "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
    "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5},
    "readinessProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 1},
    "securityContext": {"runAsUser": 0, "privileged": False},
}  # fmt: skip
CASES: list[dict[str, Any]] = [
    {
        "apiVersion": "v1", "kind": "Pod", "metadata": _META,
        "spec": {
            "containers": [_CONTAINER], "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False, "nodeSelector": {"a": "b"},
            "volumes": [
                {"name": "e", "emptyDir": {}},
                {"name": "h", "hostPath": {"path": "/", "type": ""}},
                {"name": "p", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]}},
            ],
            "ephemeralContainers": [{"name": "d", "image": "i", "targetContainerName": "c"}],
        },
        "status": {"phase": "Running", "startTime": "2027-01-15T08:00:00Z"},
    },
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
     "spec": {"replicas": 0, "strategy": {"rollingUpdate": {"maxSurge": "25%",
                                                            "maxUnavailable": 0}}}},
    {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "r"},
     "data": {"spec": {"a": [1, None]}}, "revision": 4},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
     "data": {"a": "AAEC/w==", "b": ""}, "immutable": False},
    {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"},
     "spec": {"renewTime": "2027-01-15T08:00:00.000001Z", "leaseDurationSeconds": 40}},
    {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
     "metadata": {"name": "c"}, "spec": {"request": "AQI=", "extra": {"k": ["a", "b"]}}},
    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"},
     "status": {"capacity": {"cpu": "4"}, "images": [{"names": ["i"], "sizeBytes": 5_000_000_000}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}},
    {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
     "spec": {"rules": [{"host": "h", "http": {"paths": [
         {"path": "/", "pathType": "Prefix",
          "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}},
    {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
     "metadata": {"name": "c"},
     "spec": {"versions": [{"name": "v1", "served": True, "schema": {"openAPIV3Schema": {
         "type": "object", "additionalProperties": False, "default": {"a": 1},
         "properties": {"a": {"type": "array", "items": {"type": "string"}, "maxItems": 0,
                              "x-kubernetes-list-type": "set"},
                        "b": {"type": "number", "minimum": 0.5, "enum": [1, "x"]}}}}}]}},
    {"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "no", "code": 404,
     "details": {"name": "n", "causes": [{"field": "f", "message": "m", "reason": "r"}]}},
]  # fmt: skip
