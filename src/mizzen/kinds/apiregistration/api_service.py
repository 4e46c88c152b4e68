"""APIService: a group's version that another API server answers, behind a Service.

Source: k8s.io/kube-aggregator pkg/apis/apiregistration, v0.36.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj, condition
from mizzen.base.resources import API_SERVICES
from mizzen.kinds import causes as words
from mizzen.kinds.columns import AGE, NAME, Column
from mizzen.kinds.names import dns_label, dns_subdomain, path_segment
from mizzen.kinds.reading import part
from mizzen.kinds.treatment import acted, holding
from mizzen.kinds.upstream import upstream_kind

PORT = 443
_GROUP_PRIORITY_MAX, _VERSION_PRIORITY_MAX = 20_000, 1000


def _default(obj: Obj) -> None:
    if "service" in part(obj, "spec"):
        part(obj, "spec.service").setdefault("port", PORT)


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec, name = part(new, "spec"), new["metadata"].get("name") or ""
    group, version = spec.get("group") or "", spec.get("version") or ""
    causes: list[Cause] = []
    wanted = f"{version}.{group}"
    if name != wanted:
        said = f'must be `spec.version+"."+spec.group`: "{wanted}"'
        causes.append(words.invalid("metadata.name", name, said))
    if not group and version != "v1":
        said = "only v1 may have an empty group and it better be legacy kube"
        causes.append(words.required("spec.group", said))
    for field, value, check in (("group", group, dns_subdomain), ("version", version, dns_label)):
        problem = check(value) if value or field == "version" else ""
        if problem:
            causes.append(words.invalid(f"spec.{field}", value, problem))
    for field, most in (
        ("groupPriorityMinimum", _GROUP_PRIORITY_MAX), ("versionPriority", _VERSION_PRIORITY_MAX),
    ):  # fmt: skip
        value = spec.get(field) or 0
        if not 0 < value <= most:
            said = f"must be positive and less than {most}"
            causes.append(words.invalid(f"spec.{field}", value, said))
    return causes + _check_service(spec)


def _check_service(spec: Obj) -> list[Cause]:
    bundle, is_insecure = spec.get("caBundle") or "", bool(spec.get("insecureSkipTLSVerify"))
    causes: list[Cause] = []
    if spec.get("service") is None:
        if bundle:
            said = "local APIServices may not have a caBundle"
            causes.append(words.invalid("spec.caBundle", bundle, said))
        if is_insecure:
            said = "local APIServices may not have insecureSkipTLSVerify"
            causes.append(words.invalid("spec.insecureSkipTLSVerify", True, said))
        return causes
    service = part(spec, "service")
    causes += [
        words.required(f"spec.service.{field}")
        for field in ("namespace", "name")
        if not service.get(field)
    ]
    port = service.get("port") or 0
    if not 1 <= port <= 65535:
        said = "port is not valid: must be between 1 and 65535, inclusive"
        causes.append(words.invalid("spec.service.port", port, said))
    if is_insecure and bundle:
        said = "may not be true if caBundle is present"
        causes.append(words.invalid("spec.insecureSkipTLSVerify", True, said))
    return causes


def _service(obj: Obj, now_ns: int) -> str:
    service = part(obj, "spec.service")
    return f"{service.get('namespace')}/{service.get('name')}" if service else "Local"


def _available(obj: Obj, now_ns: int) -> str:
    found = condition(obj, "Available")
    if found is None:
        return "Unknown"
    status = str(found.get("status"))
    return status if status == "True" else f"{status} ({found.get('reason')})"


KIND = upstream_kind(
    API_SERVICES,
    "A group's version that another API server answers, behind a Service.",
    default=_default,
    name_rule=path_segment,
    validate=_validate,
    columns=(NAME, Column("Service", _service), Column("Available", _available), AGE),
)

_V1 = "k8s.io.kube-aggregator.pkg.apis.apiregistration.v1"
SERVED_FIELDS = {
    "apiregistration.v1.APIService": holding("spec"),
    "apiregistration.v1.APIServiceSpec": acted(
        "apiserver",
        "caBundle group groupPriorityMinimum insecureSkipTLSVerify service version versionPriority",
    ),
    "apiregistration.v1.ServiceReference": acted("apiserver", "name namespace port"),
}
