"""The order of the versions of one API group.

Source: apimachinery `version.CompareKubeAwareVersionStrings`.
"""

from __future__ import annotations

import re

_VERSION = re.compile(r"v([0-9]+)(?:(alpha|beta)([0-9]+))?")
_STABILITIES = (None, "beta", "alpha")


def precedence(version: str) -> tuple[int, int, int, str]:
    """Sorts as clients prefer: v2, v1, v1beta2, v1beta1, v1alpha1, then other names."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (3, 0, 0, version)
    major, stability, minor = found.groups()
    return (_STABILITIES.index(stability), -int(major), -int(minor or 0), "")
