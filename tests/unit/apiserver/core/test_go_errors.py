"""The words of upstream's decoder, as kube-apiserver 1.36 was heard to say them."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.go_errors import misfit, undecodable, unrecognised, unrestorable
from mizzen.kinds.registry import builtin_kinds


@pytest.mark.parametrize(
    ("place", "body", "problem"),
    [
        (("", "pods"), {"spec": "x"}, "string into Go struct field Pod.spec of type v1.PodSpec"),
        (("", "pods"), {"spec": {"hostNetwork": 5}},
         "number into Go struct field PodSpec.spec.hostNetwork of type bool"),
        (("", "configmaps"), {"metadata": {"labels": {"a": 5}}},
         "number into Go struct field ObjectMeta.metadata.labels of type string"),
        (("apps", "replicasets"), {"spec": {"selector": {"matchLabels": []}}},
         "array into Go struct field LabelSelector.spec.selector.matchLabels of type "
         "map[string]string"),
        (("coordination.k8s.io", "leases"), {"spec": {"leaseDurationSeconds": 2**31}},
         "number 2147483648 into Go struct field LeaseSpec.spec.leaseDurationSeconds of type "
         "int32"),
    ],
)  # fmt: skip
def test_the_first_wrong_value_is_told(
    place: tuple[str, str], body: dict[str, Any], problem: str
) -> None:
    kind = builtin_kinds()[place]
    decoded = kind.decode(body)
    assert decoded.mistyped is not None
    name = kind.resource.kind
    assert undecodable(kind.resource, misfit(kind.schema, *decoded.mistyped)) == (
        f'{name} in version "v1" cannot be handled as a {name}: json: cannot unmarshal {problem}'
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2020-02-30T00:00:00Z", 'parsing time "2020-02-30T00:00:00Z": day out of range'),
        ("yesterday", 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": '
         'cannot parse "yesterday" as "2006"'),
    ],
)  # fmt: skip
def test_moments(text: str, problem: str) -> None:
    kind = builtin_kinds()["", "configmaps"]
    decoded = kind.decode({"metadata": {"creationTimestamp": text}})
    assert decoded.mistyped is not None
    assert misfit(kind.schema, *decoded.mistyped) == problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"metadata": {"labels": ["x"]}}, "cannot restore map from slice"),
        ({"metadata": "x"}, "cannot restore struct from: string"),
        ({"spec": {"containers": {}}}, "cannot restore slice from map"),
        ({"spec": {"priority": {}}}, "unrecognized type: int32"),
        ({"spec": {"priority": 1.5}}, "cannot convert float64 to int32"),
        ({"spec": {"nodeName": 5}}, "cannot convert int64 to string"),
        ({"spec": {"nodeName": 1.5}}, "unrecognized type: string"),
        ({"spec": {"hostNetwork": 1}}, "unrecognized type: bool"),
    ],
)
def test_what_a_strategic_patch_made_is_told_in_other_words(
    body: dict[str, Any], problem: str
) -> None:
    kind = builtin_kinds()["", "pods"]
    decoded = kind.decode(body)
    assert decoded.mistyped is not None
    assert unrestorable(kind.schema, *decoded.mistyped) == problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"kind": "Pod"}, ""),
        ({"apiVersion": None, "kind": ""}, ""),
        ({"kind": "Pot"}, 'no kind "Pot" is registered for version "v1" in scheme'),
        ({"apiVersion": "v2"}, 'no kind "Pod" is registered for version "v2" in scheme'),
        ({"kind": []}, "json: cannot unmarshal array into Go struct field .kind of type string"),
        ([], "json: cannot unmarshal array into Go value of type struct { APIVersion string"),
    ],
)
def test_the_type_that_an_object_gives_itself(body: Any, problem: str) -> None:
    found = unrecognised(builtin_kinds()["", "pods"].resource, body)
    assert problem in found and bool(problem) == bool(found)


@pytest.mark.parametrize(
    ("place", "body", "problem"),
    [
        (("", "secrets"), {"data": {"a": "10%"}}, "illegal base64 data at input byte 2"),
        (("", "persistentvolumeclaims"), {"spec": {"resources": {"requests": {"storage": "abc"}}}},
         "quantities must match the regular expression "
         "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    ],
)  # fmt: skip
def test_values_that_their_own_decoders_refuse(
    place: tuple[str, str], body: dict[str, Any], problem: str
) -> None:
    kind = builtin_kinds()[place]
    decoded = kind.decode(body)
    assert decoded.mistyped is not None
    assert misfit(kind.schema, *decoded.mistyped) == problem
