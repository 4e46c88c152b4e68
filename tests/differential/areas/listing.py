"""Lists: pages, revisions, selectors, forms."""

from __future__ import annotations

from urllib.parse import quote

from differential.draws import Draws
from differential.objects import CONFIG_MAP, DEPLOYMENT, POD, SECRET, SERVICE, WIDGET, Written
from differential.steps import MERGE, Step

_LABELS = (
    "a", "!a", "a=1", "a==1", "a!=1", "a in (1,2)", "a notin (1)", "a,b", "a in (1),b notin (x)",
    "a=", "example.com/x", "a>1", "a<2", "a in ()", "a in (1", "=1", "a=1,,b", "a b", " a = 1 ",
    "a in (1, 2 )", "bad key!", "a=bad value!", "", "a,", ",", "a in 1", "x" * 64, "!a=1",
)  # fmt: skip
_FIELDS = (
    "metadata.name=o1", "metadata.name!=o1", "metadata.namespace=<<ns>>", "metadata.namespace=other",
    "metadata.name=o1,metadata.name=o2", "spec.x=1", "status.phase=Pending", "status.phase!=Running",
    "spec.nodeName=", "spec.nodeName=n", "type=Opaque", "spec.mode=on", "spec.size=1", "spec.size!=1",
    "metadata.labels.a=1", "=", "metadata.name", "metadata.name==o1", "a=1=2", "spec.restartPolicy=Always",
    "spec.clusterIP=None", "spec.type=NodePort", "status.podIP=", "spec.serviceAccountName=default",
    r"metadata.name=o\,1", "metadata.name in (o1)", "spec.hostNetwork=false", "spec.schedulerName=x",
)  # fmt: skip
_FORMS = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "text/html", "*/*",
    "application/json;as=Table;v=v1;g=meta.k8s.io", "application/yaml",
)  # fmt: skip


def sequence(draws: Draws) -> list[Step]:
    kind = draws.choice((CONFIG_MAP, SECRET, POD, WIDGET, SERVICE, DEPLOYMENT))
    steps: list[Step] = []
    count = draws.randint(2, 5)
    for number in range(1, count + 1):
        body = kind.made(draws, f"o{number}")
        if kind is WIDGET:
            body["spec"] = {"size": number, **draws.some(mode=lambda: draws.choice(("on", "off")))}
        steps.append(Step(number, "POST", kind.collection, body))
    for number in range(count + 1, count + draws.randint(4, 9)):
        steps.append(_any(draws, kind, number))
    return steps


def _any(draws: Draws, kind: Written, number: int) -> Step:
    roll = draws.random()
    one = f"{kind.collection}/o{draws.randint(1, 3)}"
    if roll < 0.12:
        return Step(number, "PATCH", one, {"metadata": {"labels": {"a": "2"}}}, kind=MERGE)
    if roll < 0.2:
        return Step(number, "DELETE", one + "?gracePeriodSeconds=0")
    headers = {"Accept": draws.choice(_FORMS)} if draws.is_so(0.25) else {}
    path = kind.collection if draws.is_so(0.85) else one
    return Step(number, "GET", path + query(draws, number), headers=headers)


def query(draws: Draws, number: int) -> str:
    earlier = draws.randint(1, number - 1)
    found = draws.some(
        0.3,
        limit=lambda: draws.choice(("1", "2", "0", "-1", "x", "1000000")),
        labelSelector=lambda: draws.choice(_LABELS),
        fieldSelector=lambda: draws.choice(_FIELDS),
        resourceVersion=lambda: draws.choice(
            (f"<<rv:{earlier}>>", f"<<rv:{earlier}>>", "0", "", "x", "-1", "999999999")),
        resourceVersionMatch=lambda: draws.choice(("Exact", "NotOlderThan", "Other")),
    )  # fmt: skip
    if draws.is_so(0.25):
        found["continue"] = draws.choice((f"<<continue:{earlier}>>",) * 4 + ("bad",))
    parts = [
        f"{n}={v if '<<' in v and n != 'fieldSelector' else quote(v, safe='<>:' if '<<' in v else ':')}"
        for n, v in found.items()
    ]
    if draws.is_so(0.04):
        parts.append(
            draws.choice(("includeObject=None", "timeoutSeconds=x", "unknown=1", "pretty=1"))
        )
    return "?" + "&".join(parts) if parts else ""
