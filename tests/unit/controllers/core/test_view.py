from mizzen.base.objects import Key
from mizzen.base.resources import PODS
from mizzen.controllers.core.view import View

OWNER = {"metadata": {"uid": "o"}}


def pod(name, owner="o"):
    references = [{"uid": owner, "controller": True, "kind": "X", "name": "x"}]
    return {
        "metadata": {"name": name, "namespace": "n", "uid": name, "ownerReferences": references}
    }


def test_owned_follows_additions_changes_and_deletions():
    view = View.of([(PODS, pod("b")), (PODS, pod("a"))])
    assert [p["metadata"]["name"] for p in view.owned(PODS, OWNER)] == ["a", "b"]
    view.apply(PODS, pod("a"), pod("a", "other"))
    view.apply(PODS, pod("b"), None)
    assert view.owned(PODS, OWNER) == []
    assert view.get(PODS, Key("n", "b")) is None
    assert view.get(PODS, Key("n", "a"))
