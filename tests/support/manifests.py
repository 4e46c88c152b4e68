"""Manifests as people write them: YAML text, indented to stand in a test."""

from __future__ import annotations

from textwrap import dedent

import yaml

from mizzen.base.objects import Obj


def manifest(text: str) -> Obj:
    """One object out of YAML."""
    return yaml.safe_load(dedent(text))
