import pytest

from mizzen.controllers.core.node_matching import node_filter, untolerated

NODE = {"metadata": {"name": "n", "labels": {"disk": "ssd", "cores": "8"}}}


def required(*terms):
    selector = {"nodeSelectorTerms": list(terms)}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": selector}}}  # fmt: skip


def expression(key, operator, *values):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def named(operator, *values):
    return {"matchFields": [{"key": "metadata.name", "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("spec", "fits"),
    [
        ({}, True),
        ({"nodeSelector": {"disk": "ssd"}}, True),
        ({"nodeSelector": {"disk": "hdd"}}, False),
        (required(expression("disk", "In", "ssd", "hdd")), True),
        (required(expression("disk", "NotIn", "ssd")), False),
        (required(expression("gpu", "NotIn", "yes")), True),
        (required(expression("gpu", "Exists")), False),
        (required(expression("gpu", "DoesNotExist")), True),
        (required(expression("cores", "Gt", "7")), True),
        (required(expression("cores", "Lt", "8")), False),
        (required(named("In", "n")), True),
        (required(named("NotIn", "n")), False),
        (required({}), False),
        (required(), False),
        (required(expression("gpu", "Exists"), expression("disk", "Exists")), True),
        (required({**expression("disk", "Exists"), **named("In", "other")}), False),
        ({**required(expression("disk", "Exists")), "nodeSelector": {"disk": "hdd"}}, False),
    ],
)
def test_selector_and_affinity(spec, fits):
    assert node_filter(spec)(NODE) is fits


def test_untolerated():
    taints = [{"key": "a", "effect": "NoSchedule"}, {"key": "b", "effect": "PreferNoSchedule"}]
    effects = frozenset({"NoSchedule"})
    assert untolerated(taints, [], effects)
    assert not untolerated(taints, [{"key": "a", "operator": "Exists"}], effects)
    assert not untolerated(taints, [], frozenset({"NoExecute"}))
