"""Rules of patches that go wrong, in tables: what is sent, and what is answered."""

from __future__ import annotations

from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import JSON_PATCH, MERGE, STRATEGIC, Talk, config_map

_REJECTED = "the server rejected our request due to an error in our request"
_UNNAMED = "the name of the object (a based on URL) was undeterminable: name must be provided"
_JSON = "json: cannot unmarshal"

# Type of the patch, the patch, the status and what the message has.
_OF_CONFIG_MAPS: tuple[tuple[str, Any, int, str], ...] = (
    (JSON_PATCH, [{"op": "test", "path": "/data/k", "value": "2"}], 422, _REJECTED),
    (JSON_PATCH, [{"op": "remove", "path": "/none"}], 422, _REJECTED),
    (JSON_PATCH, [{"op": "Add", "path": "/data/x", "value": "1"}], 422, _REJECTED),
    (JSON_PATCH, [{"op": "add", "path": "", "value": {}}], 422, _REJECTED),
    (JSON_PATCH, [{"op": "replace", "path": "/zz", "value": 1}], 200, ""),
    (JSON_PATCH, [{"op": "test", "path": "/none", "value": None}], 200, ""),
    (JSON_PATCH, [{"op": 5, "path": "/zz"}], 400,
     f"error decoding patch: {_JSON} number into Go struct field jsonPatchOp.op of type string"),
    (JSON_PATCH, {}, 400,
     f"error decoding patch: {_JSON} object into Go value of type []handlers.jsonPatchOp"),
    (JSON_PATCH, [{"op": "remove", "path": "/apiVersion"}], 400, _UNNAMED),
    (JSON_PATCH, [{"op": "remove", "path": "/kind"}], 200, ""),
    (JSON_PATCH, [{"op": "replace", "path": "/kind", "value": []}], 422,
     f"couldn't get version/kind; json parse error: {_JSON} array into Go struct field .kind of "
     "type string"),
    (MERGE, {"apiVersion": "v2"}, 422, 'no kind "ConfigMap" is registered for version "v2"'),
    (MERGE, [], 400, f"error decoding patch: {_JSON} array into Go value of type map[string]"),
    (MERGE, {"metadata": None}, 400, _UNNAMED),
    (MERGE, {"metadata": {"name": "b"}}, 400,
     "the name of the object (b) does not match the name on the URL (a)"),
    (MERGE, {"metadata": {"namespace": "b"}}, 400,
     "the namespace of the provided object does not match the namespace sent on the request"),
    (MERGE, {"metadata": {"uid": "x"}}, 422, 'metadata.uid: Invalid value: "x"'),
    (MERGE, {"data": 5}, 422, f'}}": {_JSON} number into Go struct field ConfigMap.data of type map'),
    (STRATEGIC, {"apiVersion": "v2", "kind": "X"}, 200, ""),
    (STRATEGIC, {"$patch": "delete"}, 400, _UNNAMED),
    (STRATEGIC, {"$patch": "merge"}, 500, "unknown patch type: merge in map: map[$patch:merge]"),
    (STRATEGIC, {"metadata": {"labels": {"$patch": "x"}}}, 200, ""),
    (STRATEGIC, {"metadata": {"finalizers": [["x"]]}}, 422, "unrecognized type: string"),
    (STRATEGIC, {"metadata": {"$retainKeys": 1}}, 400, "invalid patch format of retainKeys"),
    (STRATEGIC, {"data": ["x", 5]}, 422,
     'patch: Invalid value: "map[data:[x 5]]": cannot restore map from slice'),
    (STRATEGIC, [], 400, f"{_JSON} array into Go value of type map[string]interface {{}}"),
)  # fmt: skip


@rule("a patch that cannot be applied or read is refused in the words of upstream's libraries")
def patches_that_go_wrong(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    for kind, patch, status, said in _OF_CONFIG_MAPS:
        api.post(path, config_map("a", k="1")).ok(201)
        answer = api.patch(f"{path}/a", patch, kind)
        assert answer.status == status, (kind, patch, answer.raw)
        assert said in answer.body.get("message", ""), (kind, patch, answer.raw)
        api.delete(f"{path}/a").ok()


@rule("a patch of what is not there is NotFound, whatever its body")
def patches_of_nothing(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps/none"
    for kind in (JSON_PATCH, MERGE, STRATEGIC):
        api.patch(path, b"{", kind).refused(404, "NotFound")
    api.patch(path, b"{", "text/plain").refused(415, "UnsupportedMediaType")


@rule("a Scale is read as any object: what it does not say is 0, and what does not fit is refused")
def scales_that_go_wrong(api: Talk) -> None:
    path = f"{api.namespace()}/replicationcontrollers"
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    wish = {"metadata": {"name": "a"}, "spec": {"replicas": 2, "template": template}}
    api.post(path, wish).ok(201)
    scale = f"{path}/a/scale"
    said = api.patch(scale, {"spec": {"replicas": 1.5}}).refused(422, "Invalid")
    assert said["message"].endswith(
        f"{_JSON} number 1.5 into Go struct field ScaleSpec.spec.replicas of type int32"
    )
    said = api.patch(scale, {"spec": {"replicas": -1}}).refused(422, "Invalid")
    assert said["message"] == (
        'Scale.autoscaling "a" is invalid: spec.replicas: Invalid value: -1: '
        "must be greater than or equal to 0"
    )
    answer = api.patch(scale, {"spec": {"replicaz": 1}})
    assert answer.ok()["spec"] == {"replicas": 2}
    assert answer.warnings[0].startswith('unknown field "spec.replicaz"')
    assert api.patch(scale, {"spec": {"replicas": None}}).ok()["spec"] == {}
