"""Manifests: complete, structural, and without more rights than the components use."""

from __future__ import annotations

import pytest

from mizzen.base.names import GPU_RESOURCE, SYSTEM_NAMESPACE
from mizzen.base.objects import Obj, name_of
from mizzen.base.resources import DEVICE_CLASSES
from mizzen.compose.install import resource_of
from mizzen.compose.manifests import COMPONENTS, KINDS, manifests
from mizzen.kinds.structural import check_structural
from mizzen.scheduler.core.conventions.watched import OPTIONAL


def of_kind(kind: str) -> list[Obj]:
    return [obj for obj in manifests() if obj["kind"] == kind]


def test_every_kind_of_ours_has_a_structural_definition() -> None:
    definitions = of_kind("CustomResourceDefinition")
    assert [name_of(d) for d in definitions] == [f"{r.plural}.{r.group}" for r in KINDS]
    for definition in definitions:
        (version,) = definition["spec"]["versions"]
        schema = version["schema"]["openAPIV3Schema"]
        assert check_structural(schema, "schema") == []


def test_names_are_unique_and_all_that_is_namespaced_lives_in_one_namespace() -> None:
    seen: set[tuple[str, str]] = set()
    for obj in manifests():
        assert (obj["kind"], name_of(obj)) not in seen
        seen.add((obj["kind"], name_of(obj)))
        namespace = obj["metadata"].get("namespace", "")
        assert namespace == (SYSTEM_NAMESPACE if resource_of(obj).namespaced else "")


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_component_may_read_secrets_or_do_everything(component: str) -> None:
    for role in (*of_kind("ClusterRole"), *of_kind("Role")):
        if name_of(role) != component:
            continue
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], rule
            assert "secrets" not in rule["resources"], rule


def test_the_scheduler_may_read_whatever_tells_of_gangs() -> None:
    (role,) = (r for r in of_kind("ClusterRole") if name_of(r) == "mizzen-scheduler")
    readable = {
        (group, plural)
        for rule in role["rules"]
        if {"get", "list", "watch"} <= set(rule["verbs"])
        for group in rule["apiGroups"]
        for plural in rule["resources"]
    }
    assert {(r.group, r.plural) for r in OPTIONAL} <= readable


def test_no_class_takes_the_device_plugins_resource_name() -> None:
    classes = of_kind(DEVICE_CLASSES.kind)
    assert classes
    assert GPU_RESOURCE not in {c["spec"].get("extendedResourceName") for c in classes}


def test_pods_are_what_a_namespace_of_the_restricted_standard_admits() -> None:
    """Source: Kubernetes' Pod Security Standards, level "restricted"."""
    deployments = of_kind("Deployment")
    assert [name_of(d) for d in deployments] == [*COMPONENTS]
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert context["runAsNonRoot"] and context["runAsUser"]
        assert context["readOnlyRootFilesystem"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "volumes"} & set(pod)


def test_probes_and_scrapers_find_the_port_that_the_command_names() -> None:
    for deployment in of_kind("Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        (port,) = container["ports"]
        assert f"--metrics-bind-address=:{port['containerPort']}" in container["command"]
        for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
            asked = container[probe]["httpGet"]
            assert asked == {"path": path, "port": port["name"], "scheme": "HTTPS"}


def test_whoever_asks_for_metrics_is_looked_up_and_may_be_allowed_by_a_role() -> None:
    rights = {name_of(role): role["rules"] for role in of_kind("ClusterRole")}
    assert rights["mizzen-metrics-reader"] == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    for component in COMPONENTS:
        creates = [r["resources"] for r in rights[component] if r["verbs"] == ["create"]]
        assert ["tokenreviews"] in creates and ["subjectaccessreviews"] in creates


def test_an_image_that_ends_at_once_replaces_nobody_and_one_that_is_there_is_taken() -> None:
    for deployment in of_kind("Deployment"):
        assert deployment["spec"]["minReadySeconds"] >= 5
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["imagePullPolicy"] == "IfNotPresent"
