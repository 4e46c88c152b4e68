from __future__ import annotations

from mizzen.apiserver.core.emptying import Remaining, finalized, with_conditions
from mizzen.base.objects import Obj, condition
from mizzen.base.resources import CONFIG_MAPS, JOBS

NS = 1_000_000_000


def test_conditions_name_what_remains_and_what_holds_it() -> None:
    namespace: Obj = {"metadata": {"name": "n"}, "status": {"phase": "Terminating"}}
    remaining = Remaining()
    remaining.add(JOBS, ("example.com/x",))
    remaining.add(CONFIG_MAPS, ())
    remaining.add(CONFIG_MAPS, ("example.com/x", "example.com/y"))
    told = with_conditions(namespace, remaining, 1000 * NS)
    content = condition(told, "NamespaceContentRemaining")
    holders = condition(told, "NamespaceFinalizersRemaining")
    assert content is not None and holders is not None
    assert content["message"] == (
        "Some resources are remaining: configmaps. has 2 resource instances, "
        "jobs.batch has 1 resource instances"
    )
    assert holders["message"] == (
        "Some content in the namespace has finalizers remaining: "
        "example.com/x in 2 resource instances, example.com/y in 1 resource instances"
    )
    assert told["status"]["phase"] == "Terminating" and "conditions" not in namespace["status"]
    assert with_conditions(told, remaining, 2000 * NS) == told  # nothing to write again
    after = with_conditions(told, Remaining(), 2000 * NS)
    assert {c["type"]: c["status"] for c in after["status"]["conditions"]} == {
        "NamespaceDeletionDiscoveryFailure": "False",
        "NamespaceDeletionGroupVersionParsingFailure": "False",
        "NamespaceDeletionContentFailure": "False",
        "NamespaceContentRemaining": "False",
        "NamespaceFinalizersRemaining": "False",
    }


def test_the_finalizers_of_others_stay() -> None:
    namespace: Obj = {"metadata": {"name": "n"}, "spec": {"finalizers": ["a/b", "kubernetes"]}}
    assert finalized(namespace)["spec"]["finalizers"] == ["a/b"]
    assert finalized({"metadata": {}})["spec"]["finalizers"] == []
