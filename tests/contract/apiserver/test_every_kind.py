"""One object of each kind that upstream serves: made by kubectl, shown, explained and removed."""

from __future__ import annotations

import json
from typing import Any

from mizzen.kinds.registry import builtin_kinds
from mizzen.kinds.upstream import resources
from support.api_process import ApiServer

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}
SELECTED: dict[str, Any] = {"selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}
JOB_TEMPLATE = {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
WEBHOOK = {
    "name": "w.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
    "clientConfig": {"url": "https://127.0.0.1:1/"}, "failurePolicy": "Ignore",
    "namespaceSelector": {"matchLabels": {"never": "there"}},
}  # fmt: skip
NEVER = {"matchConstraints": {"namespaceSelector": {"matchLabels": {"never": "there"}},
         "resourceRules": [{"apiGroups": ["example.com"], "apiVersions": ["v1"],
                            "operations": ["CREATE"], "resources": ["things"]}]}}  # fmt: skip
# What kubectl creates of each kind beside its name; {} where a name is all it takes.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("", "configmaps"): {},
    ("", "endpoints"): {"subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]},
    ("", "limitranges"): {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "4"}}]}},
    ("", "persistentvolumeclaims"): {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    ("", "persistentvolumes"): {
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
                 "hostPath": {"path": "/d"}}
    },
    ("", "podtemplates"): {"template": TEMPLATE},
    ("", "replicationcontrollers"): {"spec": {"selector": {"app": "x"}, "template": TEMPLATE}},
    ("", "resourcequotas"): {"spec": {"hard": {"configmaps": "90"}}},
    ("", "secrets"): {},
    ("", "serviceaccounts"): {},
    ("", "services"): {"spec": {"ports": [{"port": 80}]}},
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"): {
        "spec": {"policyName": "p"}
    },
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): {"webhooks": [WEBHOOK]},
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"): {
        "spec": {**NEVER, "validations": [{"expression": "true"}]}
    },
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"): {
        "spec": {"policyName": "p", "validationActions": ["Warn"]}
    },
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): {"webhooks": [WEBHOOK]},
    ("apps", "controllerrevisions"): {"revision": 1, "data": {"a": 1}},
    ("apps", "daemonsets"): {"spec": SELECTED},
    ("apps", "deployments"): {"spec": SELECTED},
    ("apps", "replicasets"): {"spec": SELECTED},
    ("apps", "statefulsets"): {"spec": SELECTED},
    ("autoscaling", "horizontalpodautoscalers"): {
        "spec": {"maxReplicas": 2,
                 "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}
    },
    ("batch", "cronjobs"): {
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": JOB_TEMPLATE}}}
    },
    ("batch", "jobs"): {"spec": {"template": JOB_TEMPLATE}},
    ("coordination.k8s.io", "leases"): {},
    ("discovery.k8s.io", "endpointslices"): {"addressType": "IPv4", "endpoints": []},
    ("networking.k8s.io", "ingressclasses"): {"spec": {"controller": "example.com/c"}},
    ("networking.k8s.io", "ingresses"): {
        "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}
    },
    ("networking.k8s.io", "networkpolicies"): {"spec": {"podSelector": {}}},
    ("node.k8s.io", "runtimeclasses"): {"handler": "h"},
    ("policy", "poddisruptionbudgets"): {"spec": {"selector": {}, "minAvailable": 1}},
    ("rbac.authorization.k8s.io", "clusterroles"): {"rules": []},
    ("rbac.authorization.k8s.io", "roles"): {"rules": []},
    ("resource.k8s.io", "deviceclasses"): {"spec": {}},
    ("scheduling.k8s.io", "priorityclasses"): {"value": 1},
    ("storage.k8s.io", "csidrivers"): {"spec": {}},
    ("storage.k8s.io", "csinodes"): {"spec": {"drivers": []}},
    ("storage.k8s.io", "csistoragecapacities"): {"storageClassName": "s"},
    ("storage.k8s.io", "storageclasses"): {"provisioner": "example.com/p"},
    ("storage.k8s.io", "volumeattachments"): {
        "spec": {"attacher": "d.example.com", "nodeName": "n",
                 "source": {"persistentVolumeName": "p"}}
    },
    ("storage.k8s.io", "volumeattributesclasses"): {"driverName": "d", "parameters": {"a": "b"}},
}  # fmt: skip


def _documents(namespace: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for place, body in BODIES.items():
        resource = builtin_kinds()[place].resource
        metadata = {"name": f"every-{resource.plural}"}
        if resource.namespaced:
            metadata["namespace"] = namespace
        head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        made.append({**head, **body})
    return made


def test_one_of_each_kind(api: ApiServer, namespace: str) -> None:
    documents = _documents(namespace)
    listing = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    refused = api.kubectl_run("create", "-f-", stdin=listing)
    assert refused.returncode == 0, refused.stderr
    for document, place in zip(documents, BODIES, strict=True):
        name = document["metadata"]["name"]
        of_kind = f"{place[1]}.{place[0]}" if place[0] else place[1]
        shown = api.kubectl("-n", namespace, "get", of_kind, name, "-o", "wide")
        assert name in shown.splitlines()[1]
        got = json.loads(api.kubectl("-n", namespace, "get", of_kind, name, "-o", "json"))
        api.kubectl("-n", namespace, "replace", "-f-", stdin=json.dumps(got))
    gone = api.kubectl("delete", "--wait=false", "-f-", stdin=listing)
    assert gone.count("deleted") == len(documents)


def test_discovery_names_everything_upstream_serves(api: ApiServer) -> None:
    lines = api.kubectl("api-resources", "--no-headers", "-o", "name").split()
    named = {resource for resource, row in resources().items() if "update" in row["verbs"]}
    wanted = {
        f"{each.plural}.{each.group}".rstrip(".") for each in named if each.version != "v1alpha2"
    }
    assert wanted <= set(lines)


def test_explain_knows_fields_of_types_from_the_tables(api: ApiServer) -> None:
    explained = api.kubectl("explain", "persistentvolume.spec.iscsi")
    assert "targetPortal" in explained and "-required-" in explained
    assert "ENUM" not in api.kubectl("explain", "csidriver.spec")
    assert "regarding" in api.kubectl("explain", "events", "--api-version=events.k8s.io/v1")
