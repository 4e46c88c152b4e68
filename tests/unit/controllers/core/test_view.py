from mizzen.base.objects import Key
from mizzen.base.resources import PODS
from mizzen.controllers.core.view import Digest, Index, View

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


def test_objects_that_somebody_else_keeps_are_read_there():
    """As with an informer's cache: it changes first, then the view is told."""
    kept = {}
    view = View({PODS: kept})
    by_first = Index("by first letter", PODS, lambda obj: obj["metadata"]["name"][:1])
    view.add_index(by_first)
    for name in ("ab", "aa", "b"):
        kept[Key("n", name)] = pod(name)
        view.apply(PODS, None, pod(name))
    assert view.find_keys(by_first, "a") == [Key("n", "aa"), Key("n", "ab")]
    assert view.count(by_first, "a") == 2
    assert view.owned(PODS, OWNER) == [pod("aa"), pod("ab"), pod("b")]
    gone = kept.pop(Key("n", "aa"))
    view.apply(PODS, gone, None)
    kept[Key("n", "b")] = pod("b", "other")
    view.apply(PODS, pod("b"), pod("b", "other"))
    assert view.find(by_first, "a") == [pod("ab")]
    assert view.owned_keys(PODS, OWNER) == [Key("n", "ab")]
    assert view.all(PODS) == kept
    assert view.get(PODS, Key("n", "aa")) is None


def test_an_index_that_comes_late_knows_what_was_there():
    view = View.of([(PODS, pod("a")), (PODS, pod("b"))])
    by_name = Index("by name", PODS, lambda obj: [obj["metadata"]["name"]])
    assert view.find(by_name, "b") == [pod("b")]
    view.apply(PODS, pod("b"), None)
    assert view.find(by_name, "b") == []


NAMES = Digest(PODS, frozenset({"X"}), lambda obj: obj["metadata"]["name"].upper())


def test_a_digest_is_kept_beside_the_keys_of_its_owners_kinds():
    view = View.of([(PODS, pod("a")), (PODS, pod("b"))])
    assert dict(view.digested(NAMES, OWNER)) == {Key("n", "a"): "A", Key("n", "b"): "B"}
    changed = pod("a")
    changed["metadata"]["name"] = "a"
    view.apply(PODS, pod("a"), {**changed, "metadata": {**changed["metadata"], "labels": {}}})
    view.apply(PODS, pod("b"), None)
    view.apply(PODS, None, pod("c"))
    assert dict(view.digested(NAMES, OWNER)) == {Key("n", "a"): "A", Key("n", "c"): "C"}
    assert view.owned_keys(PODS, OWNER) == [Key("n", "a"), Key("n", "c")]
    assert view.digested(NAMES, {"metadata": {"uid": "nobody"}}) == {}


def test_of_other_owners_nothing_is_digested():
    facts = Digest(PODS, frozenset({"Y"}), lambda obj: 1 / 0)
    view = View.of([(PODS, pod("a"))])
    assert dict(view.digested(facts, OWNER)) == {Key("n", "a"): None}


def test_the_revision_of_a_cache():
    view = View.of([(PODS, pod("a"))], revision=7)
    assert view.revision(PODS) == 7
    view.note_revision(PODS, 5)
    assert view.revision(PODS) == 7
