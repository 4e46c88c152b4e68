"""CustomResourceDefinitions of other projects' kinds, as open as can be."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.base.resources import Resource


def definition(resource: Resource) -> Obj:
    """A definition that takes any object of the kind."""
    open_object: Obj = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "names": {
                "kind": resource.kind,
                "plural": resource.plural,
                "singular": resource.kind.lower(),
            },
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": open_object},
                }
            ],
        },
    }
