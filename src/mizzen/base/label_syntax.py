"""Syntax of labels: every problem with a key or a value, in upstream's words.

Source: apimachinery `api/validate/content` (kube.go, dns.go).
"""

from __future__ import annotations

import re

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
LABEL_LENGTH_MAX = 63
_SUBDOMAIN_LENGTH_MAX = 253
_QUALIFIED_HELP = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_HELP = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value', "
    " or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_SUBDOMAIN_HELP = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def subdomain_problems(name: str) -> list[str]:
    """The problems with an RFC 1123 subdomain."""
    found: list[str] = []
    if size(name) > _SUBDOMAIN_LENGTH_MAX:
        found.append(f"must be no more than {_SUBDOMAIN_LENGTH_MAX} bytes")
    if _SUBDOMAIN.fullmatch(name) is None:
        found.append(_SUBDOMAIN_HELP)
    return found


def key_problems(key: str) -> list[str]:
    """The problems with a label's or an annotation's key, `[prefix/]name`."""
    prefix, slash, name = key.partition("/")
    found: list[str] = []
    if "/" in name:
        return [
            f"a valid label key {_QUALIFIED_HELP} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    if not slash:
        name = key
    elif not prefix:
        found.append("prefix part must be non-empty")
    else:
        found += [f"prefix part {each}" for each in subdomain_problems(prefix)]
    if not name:
        found.append("name part must be non-empty")
    elif size(name) > LABEL_LENGTH_MAX:
        found.append(f"name part must be no more than {LABEL_LENGTH_MAX} bytes")
    if _QUALIFIED.fullmatch(name) is None:
        found.append(f"name part {_QUALIFIED_HELP}")
    return found


def value_problems(value: str) -> list[str]:
    """The problems with a label's value."""
    found: list[str] = []
    if size(value) > LABEL_LENGTH_MAX:
        found.append(f"must be no more than {LABEL_LENGTH_MAX} bytes")
    if value and _QUALIFIED.fullmatch(value) is None:
        found.append(_VALUE_HELP)
    return found


def size(text: str) -> int:
    """Bytes of a text, which is what upstream counts."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
