"""The objects that every namespace has: the ServiceAccount `default`, the ConfigMap `kube-root-ca.crt`.

Source: kube-controller-manager's serviceaccount and root-ca-certificate-publisher controllers.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.base.objects import Obj
from mizzen.base.resources import CONFIG_MAPS, SERVICE_ACCOUNTS, Resource
from mizzen.base.service_accounts import ROOT_CA

DEFAULT_ACCOUNT = "default"
CA_KEY = "ca.crt"
_ABOUT = {
    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the "
    "kube-apiserver when using internal endpoints such as the internal service IP or "
    "kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
}


def contents(root_ca: str) -> Iterator[tuple[Resource, Obj]]:
    """What is to be there, without its namespace; no ConfigMap where there is no authority."""
    yield SERVICE_ACCOUNTS, {"metadata": {"name": DEFAULT_ACCOUNT}}
    if root_ca:
        metadata: Obj = {"name": ROOT_CA, "annotations": dict(_ABOUT)}
        yield CONFIG_MAPS, {"metadata": metadata, "data": {CA_KEY: root_ca}}
