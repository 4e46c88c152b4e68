"""Syntax of names, labels and annotations.

Source: apimachinery `util/validation`, `api/validation/objectmeta.go`; the messages are upstream's,
since people search for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.label_syntax import key_problems, size, value_problems
from mizzen.kinds.report import quoted

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_HTTP_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_PORT_NAME = re.compile(r"[-a-z0-9]+")
ANNOTATIONS_BYTES_MAX = 256 * 1024

NameRule = Callable[[str], str]  # the problem with a name, "" when there is none


def dns_label(name: str) -> str:
    """The problem with an RFC 1123 label."""
    if len(name) > 63:
        return "must be no more than 63 characters"
    if _LABEL.fullmatch(name) is None:
        if _SUBDOMAIN.fullmatch(name):
            return "must not contain dots"
        return (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
            "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or "
            "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
        )
    return ""


def dns_subdomain(name: str) -> str:
    """The problem with an RFC 1123 subdomain."""
    if len(name) > 253:
        return "must be no more than 253 characters"
    if _SUBDOMAIN.fullmatch(name) is None:
        return (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character (e.g. "
            "'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
    return ""


def wildcard_subdomain(name: str) -> str:
    """The problem with `*.` and an RFC 1123 subdomain."""
    if len(name) > 253:
        return "must be no more than 253 characters"
    if not name.startswith("*.") or _SUBDOMAIN.fullmatch(name[2:]) is None:
        return (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS "
            "subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and "
            "end with an alphanumeric character (e.g. '*.example.com', regex used for validation "
            "is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
    return ""


def domain_prefixed_path(name: str) -> str:
    """The problem with a domain, a slash and a path, as controllers are called."""
    domain, slash, path = name.partition("/")
    if not slash or not path:
        return 'must be a domain-prefixed path (such as "acme.io/foo")'
    if problem := dns_subdomain(domain):
        return problem
    if _HTTP_PATH.fullmatch(path) is None:
        return "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"
    return ""


def dns_label_1035(name: str) -> str:
    """The problem with an RFC 1035 label, as Services are named."""
    if len(name) > 63:
        return "must be no more than 63 characters"
    if _LABEL_1035.fullmatch(name) is None:
        return (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start "
            "with an alphabetic character, and end with an alphanumeric character (e.g. "
            "'my-name',  or 'abc-123', regex used for validation is "
            "'[a-z]([-a-z0-9]*[a-z0-9])?')"
        )
    return ""


def path_segment(name: str) -> str:
    """The problem with a name that may be anything that fits into a path, as of roles.

    Source: apimachinery `api/validation/path`.
    """
    if name in (".", ".."):
        return f"may not be '{name}'"
    if "/" not in name and "%" not in name:
        return ""
    problems = [f"may not contain '{char}'" for char in "/%" if char in name]
    return ", ".join(problems)


def qualified_name(name: str) -> str:
    """The first problem with a label's or an annotation's key: `[prefix/]name`."""
    return next(iter(key_problems(name)), "")


def label_value(value: str) -> str:
    """The first problem with a label's value."""
    return next(iter(value_problems(value)), "")


def config_key(key: str) -> str:
    """The problem with a key of a ConfigMap or Secret."""
    if len(key) > 253:
        return "must be no more than 253 bytes"
    if _CONFIG_KEY.fullmatch(key) is None or key in (".", "..") or key.startswith(".."):
        return (
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
            "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
            "'[-._a-zA-Z0-9]+')"
        )
    return ""


def env_name(name: str) -> str:
    """The problem with an environment variable's name (relaxed rule of 1.32: no `=`)."""
    if not name:
        return "environment variable name must not be empty"
    if "=" in name or not name.isprintable() or not name.isascii():
        return "a valid environment variable name must consist only of printable ASCII characters other than '='"
    return ""


def port_name_problems(name: str) -> list[str]:
    """The problems with an IANA service name, as ports are named."""
    found: list[str] = []
    if len(name.encode()) > 15:
        found.append("must be no more than 15 characters")
    if _PORT_NAME.fullmatch(name) is None:
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= c <= "z" for c in name):
        found.append("must contain at least one letter (a-z)")
    if "--" in name:
        found.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return found


def invalid_value(path: str, value: str, problem: str) -> Cause:
    return Cause(path, f"Invalid value: {quoted(value)}: {problem}")


def check_labels(labels: Mapping[str, Any], path: str) -> list[Cause]:
    """Causes for a map of labels whose types are already right."""
    causes: list[Cause] = []
    for key, value in labels.items():
        causes += [invalid_value(path, key, problem) for problem in key_problems(key)]
        if isinstance(value, str):
            causes += [invalid_value(path, value, problem) for problem in value_problems(value)]
    return causes


def check_annotations(annotations: Mapping[str, Any], path: str) -> list[Cause]:
    """Causes for a map of annotations whose types are already right."""
    causes: list[Cause] = []
    total = 0
    for key, value in annotations.items():
        causes += [invalid_value(path, key, problem) for problem in key_problems(key.lower())]
        total += size(key) + (size(value) if isinstance(value, str) else 0)
    if total > ANNOTATIONS_BYTES_MAX:
        causes.append(
            Cause(path, f"Too long: may not be more than {ANNOTATIONS_BYTES_MAX} bytes",
                  "FieldValueTooLong")
        )  # fmt: skip
    return causes
