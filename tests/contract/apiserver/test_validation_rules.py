"""Rules of custom resources over HTTP: definitions, creates, updates, patches, status."""

from __future__ import annotations

from typing import Any

from support.api_process import ApiServer

from .test_custom_kinds import CRDS, MERGE, Kind, eventually

RULES = "x-kubernetes-validations"
SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["min", "max"],
    RULES: [
        {"rule": "self.min <= self.max", "message": "min must not be above max"},
        {
            "rule": "self.mode == oldSelf.mode",
            "messageExpression": "'mode stays ' + oldSelf.mode",
            "reason": "FieldValueForbidden",
            "fieldPath": ".mode",
        },
    ],
    "properties": {
        "min": {"type": "integer"},
        "max": {"type": "integer", "default": 5},
        "mode": {"type": "string", "default": "a"},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                RULES: [{"rule": "self.number >= oldSelf.number"}],
                "properties": {"name": {"type": "string"}, "number": {"type": "integer"}},
            },
        },
    },
}
STATUS = {
    "type": "object",
    "properties": {
        "seen": {"type": "integer", RULES: [{"rule": "self >= oldSelf", "message": "only up"}]}
    },
}


def defined(api: ApiServer) -> Kind:
    kind = Kind(api, SPEC)
    [version] = kind.definition["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    schema["properties"]["status"] = STATUS
    schema[RULES] = [{"rule": "self.metadata.name.size() < 9", "message": "a short name"}]
    version["subresources"] = {"status": {}}
    return kind.create()


def causes(answer: Any) -> list[tuple[str, str, str]]:
    assert answer["reason"] == "Invalid" and answer["code"] == 422
    return [(c.get("field", ""), c["message"], c["reason"]) for c in answer["details"]["causes"]]


def test_objects_keep_the_rules_of_their_kind(api: ApiServer) -> None:
    kind = defined(api)
    status, answer = kind.make("much-too-long", {"min": 6})
    assert status == 422
    assert causes(answer) == [
        ("", "Invalid value: a short name", "FieldValueInvalid"),
        ("spec", "Invalid value: min must not be above max", "FieldValueInvalid"),
    ]
    ports = [{"name": "x", "number": 2}, {"name": "y", "number": 1}]
    status, made = kind.make("t", {"min": 1, "ports": ports})
    assert status == 201, made
    path = f"{kind.path}/t"

    made["spec"].update(mode="b", ports=[{"name": "y", "number": 0}, ports[0]])
    status, answer = api.call("PUT", path, made)
    assert status == 422
    assert causes(answer) == [
        ("spec.mode", "Forbidden: mode stays a", "FieldValueForbidden"),
        ("spec.ports[0]", "Invalid value: failed rule: self.number >= oldSelf.number",
         "FieldValueInvalid"),
    ]  # fmt: skip
    for patch, expected in (({"min": 9}, 422), ({"min": 5}, 200), ({"max": 4}, 422)):
        assert api.call("PATCH", path, {"spec": patch}, content_type=MERGE)[0] == expected
    assert kind.make("dry", {"min": 9}, "?dryRun=All")[0] == 422


def test_rules_hold_for_the_status_too(api: ApiServer) -> None:
    kind = defined(api)
    assert kind.make("t", {"min": 1})[0] == 201
    path = f"{kind.path}/t/status"
    for seen, expected in ((3, 200), (2, 422), (3, 200), (4, 200)):
        patch = {"status": {"seen": seen}}
        status, answer = api.call("PATCH", path, patch, content_type=MERGE)
        assert status == expected, answer
    status, answer = api.call("PATCH", path, {"status": {"seen": 1}}, content_type=MERGE)
    assert causes(answer) == [("status.seen", "Invalid value: 1: only up", "FieldValueInvalid")]


def test_a_definition_with_a_wrong_rule_is_refused(api: ApiServer) -> None:
    spec = {"type": "object", "properties": {"n": {"type": "integer"}}}
    kind = Kind(api, {**spec, RULES: [{"rule": "self.n == 'a'"}, {"rule": "self.m == 1"}]})
    status, answer = api.call("POST", CRDS, kind.definition)
    assert status == 422
    at = f"spec.validation.openAPIV3Schema.properties[spec].{RULES}"
    assert [field for field, _, _ in causes(answer)] == [f"{at}[0].rule", f"{at}[1].rule"]
    assert "found no matching overload" in answer["message"]
    assert "undefined field 'm'" in answer["message"]


def test_a_new_rule_spares_what_stays_as_it_was(api: ApiServer) -> None:
    spec = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"type": "integer"}}}
    kind = Kind(api, spec).create()
    assert kind.make("t", {"n": -1})[0] == 201

    def change(definition: dict[str, Any]) -> None:
        schema = definition["versions"][0]["schema"]["openAPIV3Schema"]
        schema["properties"]["spec"]["properties"]["n"][RULES] = [{"rule": "self > 0"}]

    kind.replace(change)
    eventually(lambda: kind.make("u", {"n": -1}, "?dryRun=All")[0] == 422)
    path = f"{kind.path}/t"
    assert api.call("PATCH", path, {"spec": {"m": 1}}, content_type=MERGE)[0] == 200
    assert api.call("PATCH", path, {"spec": {"n": -2}}, content_type=MERGE)[0] == 422


def test_no_object_holds_the_server(api: ApiServer) -> None:
    rule = "self.l.all(x, self.l.all(y, x <= y || y <= x))"
    items = {"type": "array", "maxItems": 900, "items": {"type": "integer"}}
    kind = Kind(api, {"type": "object", RULES: [{"rule": rule}], "properties": {"l": items}})
    kind.create()
    assert kind.make("t", {"l": list(range(10))})[0] == 201
    status, answer = kind.make("u", {"l": list(range(900))})
    assert status == 422
    assert "cost limit" in answer["message"] and rule in answer["message"]
