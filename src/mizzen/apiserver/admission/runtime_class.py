"""Gives a pod what its RuntimeClass says: overhead, and where the runtime is.

Whether a node has the runtime is not asked: nodes come later, and the agent of one that lacks it
says so on the pod. Source: k8s.io/kubernetes plugin/pkg/admission/runtimeclass, v1.36, but for the
overhead of pods without a class, which counts as it is.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.refusals import forbidden, qualified
from mizzen.base.objects import Obj
from mizzen.base.pod_requests import amounts
from mizzen.base.reading import entries, part
from mizzen.base.resources import PODS, RUNTIME_CLASSES
from mizzen.store.store import ObjectKey

_CLASSES = qualified(RUNTIME_CLASSES)


def _apply(request: AdmissionRequest) -> None:
    spec, pod = request.object["spec"], request.key.name
    name = spec.get("runtimeClassName")
    if not name:
        return
    chosen = request.draft.get(ObjectKey(_CLASSES, "", name))
    if chosen is None:
        raise forbidden(PODS, pod, f'pod rejected: RuntimeClass "{name}" not found')
    _set_overhead(spec, pod, chosen)
    wanted = dict(spec.get("nodeSelector") or {})
    for key, value in part(chosen, "scheduling", "nodeSelector").items():
        if wanted.setdefault(key, value) != value:
            raise forbidden(
                PODS,
                pod,
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {wanted[key]}",
            )
    tolerations = _merged([*entries(spec, "tolerations"), *_tolerations(chosen)])
    spec |= {k: v for k, v in (("nodeSelector", wanted), ("tolerations", tolerations)) if v}


def _set_overhead(spec: Obj, pod: str, chosen: Obj) -> None:
    fixed, said = part(chosen, "overhead", "podFixed"), part(spec, "overhead")
    if said and not fixed:
        why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        raise forbidden(PODS, pod, why)
    if said and amounts(said) != amounts(fixed):
        why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        raise forbidden(PODS, pod, why)
    if fixed:
        spec["overhead"] = dict(fixed)


def _tolerations(chosen: Obj) -> list[Obj]:
    return entries(part(chosen, "scheduling"), "tolerations")


def _merged(tolerations: list[Obj]) -> list[Obj]:
    """Those that no other one makes superfluous; of equal ones the first."""
    kept: list[Obj] = []
    for index, each in enumerate(tolerations):
        later = (other for other in tolerations[index + 1 :] if other != each)
        if not any(_includes(other, each) for other in (*kept, *later)):
            kept.append(each)
    return kept


def _includes(wide: Obj, narrow: Obj) -> bool:
    """True if what `narrow` tolerates is tolerated by `wide`, and for as long."""
    if wide == narrow:
        return True
    exists, key = wide.get("operator") == "Exists", wide.get("key") or ""
    if key != (narrow.get("key") or "") and (key or not exists):
        return False
    effect = wide.get("effect") or ""
    if effect not in ("", narrow.get("effect") or ""):
        return False
    seconds, others = wide.get("tolerationSeconds"), narrow.get("tolerationSeconds")
    if effect == "NoExecute" and seconds is not None and (others is None or others > seconds):
        return False
    return exists or all(
        (wide.get(field) or default) == (narrow.get(field) or default)
        for field, default in (("operator", "Equal"), ("value", ""))
    )


def runtime_class(context: Context) -> Plugin:
    return Plugin(
        frozenset((CREATE,)),
        lambda served: served.resource == PODS,
        mutate=_apply,
        by_template=True,
    )


PLUGIN = runtime_class
