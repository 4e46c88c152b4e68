"""Objects in the form in which upstream's refusals show them."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.kinds.internal_forms import difference, fixed, internal, is_same


def test_all_fields_are_there_by_their_go_names() -> None:
    taint = internal("core.Taint", {"key": "k", "effect": "NoSchedule"})
    assert list(taint.items()) == [
        ("Key", "k"), ("Value", ""), ("Effect", "NoSchedule"), ("TimeAdded", None),
    ]  # fmt: skip


def test_what_is_published_elsewhere_is_found_there() -> None:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"hostNetwork": True, "securityContext": {}},
    }
    found = internal("core.PodTemplateSpec", template)
    assert list(found) == ["labels", "Spec"]  # metadata are written as published
    assert found["Spec"]["SecurityContext"]["HostNetwork"] is True


def test_empty_and_absent_say_the_same() -> None:
    assert is_same("core.PodSpec", {}, {"volumes": [], "nodeSelector": {}, "hostname": ""})
    assert not is_same("core.PodSpec", {}, {"hostname": "h"})
    assert fixed("*metav1.LabelSelector", "spec.selector", None, None) == []


def test_what_may_not_change_is_shown_as_it_was_sent() -> None:
    old, new = {"matchLabels": {"a": "<b>"}}, None
    assert fixed("*metav1.LabelSelector", "s", new, old) == [
        Cause("s", "Invalid value: null: field is immutable")
    ]
    shown = 'Invalid value: {"matchLabels":{"a":"\\u003cb\\u003e"}}: field is immutable'
    assert fixed("*metav1.LabelSelector", "s", old, new) == [Cause("s", shown)]


def test_changes_are_told_line_by_line() -> None:
    old, new = (
        {"key": "k", "effect": "NoSchedule"},
        {"key": "k", "value": "v", "effect": "NoSchedule"},
    )
    assert difference("core.Taint", old, new) == (
        '@@ -1,6 +1,6 @@\n {\n  "Key": "k",\n- "Value": "",\n+ "Value": "v",\n'
        '  "Effect": "NoSchedule",\n  "TimeAdded": null\n }\n'
    )
