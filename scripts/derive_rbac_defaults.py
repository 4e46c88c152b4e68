"""Derives the table of upstream's default roles and bindings from a Kubernetes module.

    python scripts/derive_rbac_defaults.py $(go list -m -f '{{.Dir}}' k8s.io/kubernetes)

Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata, which upstream's own tests hold
against its code. The table is src/mizzen/apiserver/tables/rbac_defaults.json; its reader is
src/mizzen/apiserver/rbac_table.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

_TESTDATA = "plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata"
_FILES = (
    "cluster-roles", "controller-roles", "cluster-role-bindings", "controller-role-bindings",
    "namespace-roles", "namespace-role-bindings",
)  # fmt: skip
_TABLE = Path(__file__).parents[1] / "src/mizzen/apiserver/tables/rbac_defaults.json"
_LABEL = ("kubernetes.io/bootstrapping", "rbac-defaults")
_ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}


def row(obj: dict[str, Any]) -> list[Any]:
    metadata = obj["metadata"]
    labels = dict(metadata["labels"])
    assert labels.pop(_LABEL[0]) == _LABEL[1], metadata
    assert metadata["annotations"] == _ANNOTATIONS, metadata
    head = [obj["kind"], metadata.get("namespace", ""), metadata["name"]]
    if obj["kind"].endswith("Binding"):
        assert not labels, metadata
        subjects = [
            [s["kind"], s["name"], s.get("namespace", "")] for s in obj.get("subjects") or ()
        ]
        return [*head, obj["roleRef"]["kind"], obj["roleRef"]["name"], subjects]
    selectors = [
        s["matchLabels"] for s in obj.get("aggregationRule", {}).get("clusterRoleSelectors", ())
    ]
    return [*head, sorted(labels), sorted(k for s in selectors for k in s), rules(obj)]


def rules(role: dict[str, Any]) -> list[list[str]]:
    """[verbs, groups, resources(, names)] or [verbs, paths], each joined by commas."""
    found: list[list[str]] = []
    for rule in role["rules"] or ():
        names = ("nonResourceURLs",) if "nonResourceURLs" in rule else ("apiGroups", "resources")
        parts = [rule["verbs"], *(rule[name] for name in names)]
        if "resourceNames" in rule:
            parts.append(rule["resourceNames"])
        found.append([",".join(part) for part in parts])
    return found


def main(module: Path) -> None:
    lines: list[str] = []
    for name in _FILES:
        text = (module / _TESTDATA / f"{name}.yaml").read_text()
        lines += [
            json.dumps(row(obj), separators=(",", ":")) for obj in yaml.safe_load(text)["items"]
        ]
    _TABLE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
