"""Options are refused as upstream refuses them: all that are wrong, by their kind."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core import deleting
from mizzen.apiserver.core.list_options import ListOptions
from mizzen.apiserver.core.request_options import WriteOptions
from mizzen.base.errors import ApiError, BadRequest, Invalid
from mizzen.kinds.core.config_map import KIND as CONFIG_MAP


def _said(error: ApiError) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in error.causes]


def test_a_write_is_told_every_option_that_is_wrong() -> None:
    params = {"fieldManager": "x" * 129, "dryRun": "", "fieldValidation": "strict"}
    with pytest.raises(Invalid, match=r"UpdateOptions\.meta\.k8s\.io") as refused:
        WriteOptions.of("UpdateOptions", params, "a/1")
    assert _said(refused.value) == [
        "fieldManager: Too long: may not be more than 128 bytes",
        'dryRun: Unsupported value: [""]: supported values: "All"',
        'fieldValidation: Unsupported value: "strict": supported values: "", "Ignore", "Strict", '
        '"Warn"',
    ]


def test_a_write_has_the_program_as_its_manager_and_warns() -> None:
    found = WriteOptions.of("CreateOptions", {"fieldManager": ""}, "kubectl/v1")
    assert found == WriteOptions("CreateOptions", False, "kubectl", "Warn")


@pytest.mark.parametrize(
    ("params", "is_apply", "cause"),
    [
        ({}, True, "fieldManager: Required value: is required for apply patch"),
        ({"force": "true"}, False, "force: Forbidden: may not be specified for non-apply patch"),
        ({"fieldManager": "a\n"}, True, r'fieldManager: Invalid value: "a\n": invalid character '
                                        "U+000A (at position 1)"),
    ],
)  # fmt: skip
def test_what_a_patch_may_not_say(params: dict[str, str], is_apply: bool, cause: str) -> None:
    with pytest.raises(Invalid, match=r"PatchOptions\.meta\.k8s\.io") as refused:
        WriteOptions.of_patch(params, "a/1", is_apply=is_apply)
    assert _said(refused.value) == [cause]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"limit": "x", "labelSelector": "="}, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"labelSelector": ",", "fieldSelector": "a", "resourceVersionMatch": "Exact"},
         "found ',', expected: !, identifier, or 'end of string'"),
        ({"fieldSelector": "spec.x=1", "resourceVersionMatch": "Exact"},
         'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
         "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ({"fieldSelector": "spec.x=1"}, '"spec.x" is not a known field selector: only '
                                        '"metadata.name", "metadata.namespace"'),
    ],
)  # fmt: skip
def test_a_list_is_refused_for_what_is_looked_at_first(
    params: dict[str, str], message: str
) -> None:
    with pytest.raises((BadRequest, Invalid)) as refused:
        ListOptions.of(CONFIG_MAP, params)
    assert refused.value.message == message


def test_a_watch_begins_with_what_is_there_unless_it_says_from_where() -> None:
    def initial(**params: str) -> tuple[bool | None, bool]:
        found = ListOptions.of(CONFIG_MAP, {"watch": "1", **params})
        return found.initial, found.marks_end

    assert initial() == initial(resourceVersion="0") == (True, False)
    assert initial(resourceVersion="7") == (False, False)
    streamed = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    assert initial(**streamed) == (True, False)
    assert initial(**streamed, allowWatchBookmarks="1") == (True, True)
    assert ListOptions.of(CONFIG_MAP, {"limit": "-1"}).limit == 0


def test_of_a_deletion_with_a_body_the_query_says_nothing() -> None:
    assert deleting.of_params({"gracePeriodSeconds": "5", "dryRun": "All"}).is_dry
    with pytest.raises(BadRequest, match="ParseInt"):
        deleting.of_params({"gracePeriodSeconds": "x"})
    with pytest.raises(Invalid) as refused:
        deleting.of_body({"propagationPolicy": "x", "orphanDependents": True, "dryRun": ["all"]})
    assert [cause.field for cause in refused.value.causes] == [
        "propagationPolicy", "propagationPolicy", "dryRun",
    ]  # fmt: skip


def test_a_query_says_which_object_is_to_be_deleted() -> None:
    meant = deleting.of_params({"uid": "u", "resourceVersion": "5"})
    assert (meant.uid, meant.resource_version) == ("u", "5")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"kind": "ConfigMap"}, 'no kind "ConfigMap" is registered for version "meta.k8s.io/v1"'),
        ({"kind": "Status", "apiVersion": "v1"}, "unknown conversion"),
        ({"kind": "UpdateOptions"}, "cannot be converted"),
        (
            {"gracePeriodSeconds": "5"},
            "string into Go struct field DeleteOptions.gracePeriodSeconds",
        ),
        ({"dryRun": "All"}, "dryRun of type"),
    ],
)
def test_a_body_that_is_no_options_deletes_nothing(body: dict[str, object], problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        deleting.of_body(body)
