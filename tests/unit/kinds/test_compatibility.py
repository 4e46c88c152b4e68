"""What the minor version before had: derived, hidden while it is emulated, found before a rollback."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mizzen.base.versions import BINARY, STORE_FORMATS
from mizzen.kinds.compatibility import TABLE, Introduced, field_paths, introduced_in
from mizzen.kinds.registry import builtin_kinds

SCRIPT = Path(__file__).parents[3] / "scripts" / "record_version.py"
CONFIG_MAPS = ("v1", "configmaps")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("record_version", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_schemas_and_the_recording_say(script: ModuleType):
    assert TABLE.read_text() == script.table(), "run python scripts/record_version.py"


def test_what_the_version_before_stored_is_stored_in_the_same_api_version(script: ModuleType):
    """Otherwise what is written could not be read after a rollback."""
    now = script.surface()
    before = script.recorded(list(STORE_FORMATS)[list(STORE_FORMATS).index(BINARY) - 1])
    gone = [name for name, fields in before.items() if fields and not now.get(name)]
    assert gone == []


def test_new_kinds_and_the_outer_of_new_fields_are_found(script: ModuleType):
    before = {"v1/pods": ["spec", "spec.a"], "batch/v1/jobs": ["spec"]}
    now = {
        "v1/pods": ["spec", "spec.a", "spec.b", "spec.b.c", "spec.bc", "spec.d[].e"],
        "batch/v1/jobs": ["spec"],
        "x/v1/new": ["spec"],
    }
    assert script.added(now, before) == {
        "resources": ["x/v1/new"],
        "fields": {"v1/pods": ["spec.b", "spec.bc", "spec.d[].e"]},
    }


def test_the_table_is_read():
    rows = json.loads(TABLE.read_text())
    found = introduced_in(BINARY)
    assert len(found.resources) == len(rows[BINARY]["resources"])
    assert len(found.fields) == len(rows[BINARY]["fields"])
    with pytest.raises(KeyError):
        introduced_in("0.0")


def test_a_new_kind_is_hidden_and_every_object_of_it_unknown():
    new = Introduced(frozenset([CONFIG_MAPS]), {})
    kinds = builtin_kinds()
    assert not new.serves_before(kinds["", "configmaps"])
    assert new.serves_before(kinds["", "secrets"])
    assert new.found_in(*CONFIG_MAPS, {"data": {}}) == [""]
    assert new.found_in("v1", "secrets", {"data": {}}) == []


def test_a_new_field_is_unknown_and_found():
    kind = builtin_kinds()["", "pods"]
    pods = ("v1", "pods")
    steps = [("spec", "containers", "[]", "image"), ("spec", "zzz")]
    new = Introduced(frozenset(), {pods: steps})
    older = new.as_before(kind)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "d"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    assert "image" in kind.decode(pod).object["spec"]["containers"][0]
    decoded = older.decode(pod)
    assert decoded.object["spec"]["containers"][0].get("image") is None
    assert [each.name for each in decoded.unknown] == ["image"]
    assert "spec.containers[].image" not in set(field_paths(older.schema))
    assert "spec.initContainers[].image" in set(field_paths(older.schema))
    assert new.found_in(*pods, pod) == ["spec.containers[].image"]
    values = Introduced(frozenset(), {pods: [("spec", "containers", "{}", "x")]})
    assert values.found_in(*pods, {"spec": {"containers": {"c": {"x": 1}}}}) == [
        "spec.containers{}.x"
    ]
    assert Introduced(frozenset(), {}).as_before(kind) is kind
