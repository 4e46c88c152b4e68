"""What a selector shows of unparsed bytes never disagrees with what it says of the object."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mizzen.apiserver.core.selection import Selection
from mizzen.base.objects import Obj
from mizzen.kinds.core.node import KIND as NODE
from mizzen.kinds.core.pod import KIND as POD
from mizzen.kinds.kind import Kind
from mizzen.store.store import ObjectKey, Stored


def _selection(labels: str = "", fields: str = "", kind: Kind = POD) -> Selection:
    return Selection.parse(kind, {"labelSelector": labels, "fieldSelector": fields})


def _stored(obj: Obj) -> Stored:
    metadata = obj["metadata"]
    key = ObjectKey("pods", metadata.get("namespace") or "", metadata["name"])
    return Stored(key, 1, orjson.dumps(obj))


_WORDS = st.sampled_from(["a", "b", "a.b", "1", "true", "false", "0"])
_LABELS = st.dictionaries(_WORDS, _WORDS | st.just(""), max_size=3)
_REQUIREMENT = st.one_of(
    st.builds("{}={}".format, _WORDS, _WORDS | st.just("")),
    st.builds("{}!={}".format, _WORDS, _WORDS),
    st.builds("{} in ({},{})".format, _WORDS, _WORDS, _WORDS),
    st.builds("{} notin ({})".format, _WORDS, _WORDS),
    st.builds("{} > 0".format, _WORDS),
    st.builds("!{}".format, _WORDS),
    _WORDS,
)
_FIELD = st.builds(
    "{}{}{}".format,
    st.sampled_from(["spec.nodeName", "spec.hostNetwork", "status.phase", "metadata.name"]),
    st.sampled_from(["=", "!="]),
    st.sampled_from(["", "n1", 'q"uote', "ü", "true", "false", "p"]),
)


@given(
    _LABELS,
    st.lists(_REQUIREMENT, max_size=3),
    st.lists(_FIELD, max_size=2),
    st.sampled_from([None, "n1", 'q"uote', "ü"]),
    st.sampled_from([None, True, False]),
)
def test_bytes_and_object_agree(
    labels: dict[str, str],
    requirements: list[str],
    fields: list[str],
    node: str | None,
    host_network: bool | None,
) -> None:
    spec = {"nodeName": node, "hostNetwork": host_network}
    obj = {"metadata": {"name": "p", "namespace": "d", "labels": labels}, "spec": spec}
    selection = _selection(",".join(requirements), ",".join(fields))
    assert selection.matches_stored(_stored(obj)) == selection.matches(obj)


@pytest.mark.parametrize("fields", ["spec.nodeName=n1", "status.phase=Running"])
@pytest.mark.parametrize("labels", ["app=web", "app in (web)", "team", ""])
def test_what_does_not_match_is_not_parsed(labels: str, fields: str) -> None:
    class Unparsed(Stored):
        def object(self) -> Obj:
            raise AssertionError("it was parsed")

    data = orjson.dumps({"metadata": {"name": "p", "labels": {"app": "api"}}, "spec": {}})
    stored = Unparsed(ObjectKey("pods", "d", "p"), 1, data)
    assert not _selection(labels, fields).matches_stored(stored)


def test_a_boolean_field_is_found_without_quotes() -> None:
    obj = {"metadata": {"name": "n"}, "spec": {"unschedulable": True}}
    assert _selection(fields="spec.unschedulable=true", kind=NODE).matches_stored(_stored(obj))
