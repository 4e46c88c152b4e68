"""`python -m support.api_rules.table > docs/api-rules.md`, in `tests`: the rules as a page."""

from __future__ import annotations

from support.api_rules.registry import rules

_HEAD = """\
# Rules of the API

Each rule is one function in `tests/support/api_rules`. `pytest tests/contract/apiserver/test_api_rules.py`
asks Mizzen, `pytest tests/kubernetes/test_api_rules.py` (`make test-kubernetes`) asks kube-apiserver
1.36; a rule stands here if both keep it. `python -m support.api_rules.table` writes this page.

| rule | test | Mizzen | kube-apiserver 1.36 |
|-|-|-|-|
"""
_TAIL = """
## Known differences

| what | Mizzen | kube-apiserver |
|-|-|-|
| a watch from a revision of the future | Timeout at once: the client's cache is from another store | says nothing until that revision comes |
| loopback addresses in EndpointSlices and Endpoints | taken: all pods of an instance have one | refused |
| ComponentStatuses | not served | told, with a warning that they are deprecated |
| headers `Cache-Control: no-cache, private`, `X-Kubernetes-PF-…` | left out | sent |
"""


def text() -> str:
    lines = [
        f"| {rule.text} | `{rule.area}.{name}` | holds | holds |\n"
        for name, rule in rules().items()
    ]
    return _HEAD + "".join(line.replace("|=", "\\|=") for line in lines) + _TAIL


if __name__ == "__main__":
    print(text(), end="")
