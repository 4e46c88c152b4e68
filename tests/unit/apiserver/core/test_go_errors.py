"""The words of upstream's decoder, as kube-apiserver 1.36 was heard to say them."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.go_errors import undecodable
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
    assert undecodable(kind.resource, kind.schema, *decoded.mistyped) == (
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
    assert undecodable(kind.resource, kind.schema, *decoded.mistyped).endswith(problem)
