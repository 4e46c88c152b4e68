"""What upstream says of pods whose volumes and containers leave out what must be there."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.kinds.core.pod import KIND as POD

REQUIRED, INVALID, FORBIDDEN = "FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden"


def _refused(spec: dict[str, Any], container: dict[str, Any]) -> list[tuple[str, str]]:
    body = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "a", "image": "x", **container}], **spec},
    }  # fmt: skip
    decoded = POD.decode(body)
    POD.default(decoded.object)
    causes = decoded.causes or POD.check(decoded.object, None)
    return [(each.field.removeprefix("spec."), each.reason) for each in causes]


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ({"secret": {"secretName": "s"}}, []),
        ({"secret": {}}, [("secret.secretName", REQUIRED)]),
        ({"configMap": {}}, [("configMap.name", REQUIRED)]),
        ({"persistentVolumeClaim": {}}, [("persistentVolumeClaim.claimName", REQUIRED)]),
        (
            {"configMap": {"name": "c", "items": [{}]}},
            [("configMap.items[0].key", REQUIRED), ("configMap.items[0].path", REQUIRED)],
        ),
        (
            {"secret": {"secretName": "s", "items": [{"key": "k", "path": "/a"}]}},
            [("secret.items[0].path", INVALID)],
        ),
        (
            {"secret": {"secretName": "s", "items": [{"key": "k", "path": "..a"}]}},
            [("secret.items[0].path", INVALID)],
        ),
        (
            {"projected": {"sources": [{"configMap": {}}]}},
            [("projected.sources[0].configMap.name", REQUIRED)],
        ),
        # Of several types the first counts, and the others are not looked at.
        ({"emptyDir": {}, "configMap": {"items": [{}]}}, [("configMap", FORBIDDEN)]),
    ],
)
def test_where_the_files_of_a_volume_come_from(
    source: dict[str, Any], refused: list[tuple[str, str]]
) -> None:
    found = _refused({"volumes": [{"name": "v", **source}]}, {})
    assert found == [(f"volumes[0].{field}", reason) for field, reason in refused]


@pytest.mark.parametrize(
    ("container", "refused"),
    [
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, []),
        ({"envFrom": [{}]}, [("envFrom", INVALID)]),
        ({"envFrom": [{"secretRef": {}}]}, [("envFrom[0].secretRef.name", REQUIRED)]),
        ({"resizePolicy": [{}]}, [("resizePolicy", REQUIRED), ("resizePolicy", REQUIRED)]),
        (
            {"resizePolicy": [{"resourceName": "disk", "restartPolicy": "NotRequired"}]},
            [("resizePolicy", "FieldValueNotSupported")],
        ),
        ({"livenessProbe": {"httpGet": {}}}, [("livenessProbe.httpGet.port", INVALID)]),
    ],
)
def test_what_a_container_leaves_out(
    container: dict[str, Any], refused: list[tuple[str, str]]
) -> None:
    found = _refused({}, container)
    assert found == [(f"containers[0].{field}", reason) for field, reason in refused]


def test_where_nothing_may_be_resized_by_a_restart() -> None:
    policy = {"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]}
    assert _refused({}, policy) == []
    assert _refused({"restartPolicy": "Never"}, policy) == [("containers[0].resizePolicy", INVALID)]


def test_an_init_container_is_told_once_that_it_cannot_be_probed() -> None:
    init = {"name": "i", "image": "x", "livenessProbe": {}}
    field = "initContainers[0].livenessProbe"
    assert _refused({"initContainers": [init]}, {}) == [(field, FORBIDDEN)]
    always = {**init, "restartPolicy": "Always"}
    assert (field, REQUIRED) in _refused({"initContainers": [always]}, {})


def test_lines_of_the_hosts_file_and_skews() -> None:
    spread = {"topologyKey": "k", "whenUnsatisfiable": "DoNotSchedule"}
    assert _refused({"hostAliases": [{"hostnames": ["A_B"]}]}, {}) == [
        ("hostAliases[0].ip", INVALID),
        ("hostAliases[0].hostnames[0]", INVALID),
    ]
    assert ("topologySpreadConstraints[0].maxSkew", INVALID) in _refused(
        {"topologySpreadConstraints": [spread]}, {}
    )
