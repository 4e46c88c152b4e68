"""Makes pods of a template.

Source: kube-controller-manager `pkg/controller/controller_utils.go`, GetPodFromTemplate, ComputeHash.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from itertools import count
from typing import Any

from mizzen.base.objects import Obj, name_of, namespace_of, owner_reference
from mizzen.base.reading import part

# Without vowels and digits that look like letters: no bad words. Source: util/rand.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_CHARS = 5
_BASE_CHARS_MAX = 58


def pod_of(template: Obj, owner: Obj, name: str) -> Obj:
    """A pod of this template and name whose controller is `owner`."""
    metadata = part(template, "metadata")
    made: Obj = {
        "name": name,
        "namespace": namespace_of(owner),
        "labels": dict(metadata.get("labels") or {}),
        "ownerReferences": [owner_reference(owner)],
    }
    if metadata.get("annotations"):
        made["annotations"] = dict(metadata["annotations"])
    if metadata.get("finalizers"):
        made["finalizers"] = list(metadata["finalizers"])
    return {"metadata": made, "spec": part(template, "spec")}


def fresh_name(owner: Obj, seed: str, is_taken: Callable[[str], bool]) -> str:
    """A name as generateName makes it, which follows from the seed.

    So an attempt that got no answer, repeated before the caches know whether it succeeded, finds
    the name taken instead of making a second pod. What is known to be taken is passed over.
    """
    base = f"{name_of(owner)}-"[:_BASE_CHARS_MAX]
    for attempt in count():
        digest = hashlib.sha256(f"{seed}/{attempt}".encode()).digest()
        suffix = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_SUFFIX_CHARS])
        if not is_taken(base + suffix):
            return base + suffix
    raise AssertionError("unreachable: count() has no end")


def hash_of(value: Any, collisions: int = 0) -> str:
    """A short word for a value, another one after each collision."""
    text = json.dumps(value, sort_keys=True) + (f"/{collisions}" if collisions else "")
    number = str(zlib.crc32(text.encode()))
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in number)
