"""Asks mutating and validating webhooks about the writes that their rules name.

The calls themselves are made between two attempts of a write (`reviews.py`): here what is to be
asked is asked for, and what was answered is carried out.
Source: k8s.io/apiserver/pkg/admission/plugin/webhook, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from mizzen.apiserver.admission_chain import (
    CREATE,
    DELETE,
    WEBHOOKS,
    AdmissionRequest,
    Plugin,
)
from mizzen.apiserver.admission_matching import (
    OPERATIONS,
    asked,
    is_selected,
    names_for,
    version_for,
)
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.configurations import Configurations
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.admission_review import CallFailed, Verdict, denial
from mizzen.apiserver.core.admission_rules import EXEMPT_GROUP, api_version, may_match
from mizzen.apiserver.core.policies import Bill, Conditions
from mizzen.apiserver.core.refusals import forbidden
from mizzen.apiserver.reviews import Reviews
from mizzen.base.errors import ApiError, BadRequest, InternalError, Passed
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part
from mizzen.cel.values import Err
from mizzen.kinds.admission_expressions import Scope
from mizzen.kinds.patches import json_patch

_MUTATING = f"mutatingwebhookconfigurations.{EXEMPT_GROUP}"
_KEPT = ("name", "namespace", "uid", "creationTimestamp", "generation")
_VALIDATING = f"validatingwebhookconfigurations.{EXEMPT_GROUP}"


_FAILED_OPEN = "failed-open."
_OF_MUTATION, _OF_VALIDATION = (
    "mutation.webhook.admission.k8s.io/", "validating.webhook.admission.k8s.io/",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Webhook:
    """One webhook of a configuration; `source` names it among all."""

    source: str
    configuration: str
    written: Obj
    rules: list[Obj]
    is_equivalent: bool
    is_ignored: bool  # where it cannot be asked
    is_reinvoked: bool
    conditions: Conditions

    @property
    def name(self) -> str:
        return self.written["name"]


def _read(configuration: Obj) -> list[_Webhook]:
    uid = configuration["metadata"].get("uid") or configuration["metadata"]["name"]
    return [
        _Webhook(
            source=f"{uid}/{index}",
            configuration=configuration["metadata"]["name"],
            written=each,
            rules=entries(each, "rules"),
            is_equivalent=(each.get("matchPolicy") or "Equivalent") == "Equivalent",
            is_ignored=each.get("failurePolicy") == "Ignore",
            is_reinvoked=each.get("reinvocationPolicy") == "IfNeeded",
            conditions=Conditions.of(entries(each, "matchConditions"), Scope(has_variables=False)),
        )
        for index, each in enumerate(entries(configuration, "webhooks"))
    ]


@dataclass(frozen=True, slots=True)
class _Call:
    """A webhook that a write concerns, the version that it is to see, its place among all."""

    webhook: _Webhook
    version: str
    index: int


class Webhooks:
    """The webhooks of all configurations of one kind."""

    def __init__(self, context: Context, resource: str) -> None:
        self._context = context
        self.configurations = Configurations(context, resource, _read)

    def concerns(self, served: Served) -> bool:
        resource = served.resource
        if resource.group == EXEMPT_GROUP:
            return False
        return any(may_match(each.rules, resource.group, resource.plural) for each in self._all())

    def _all(self) -> Iterator[_Webhook]:
        for configuration in self.configurations.items():
            yield from configuration

    def relevant(self, request: AdmissionRequest) -> Iterator[_Call]:
        """Those whose rules and selectors choose this write; selectors look at the object as it is
        when its turn comes."""
        catalog = self._context.catalog
        for index, each in enumerate(self._all()):
            version = version_for(catalog, request, each.rules, is_equivalent=each.is_equivalent)
            hook = each.written
            selectors = hook.get("objectSelector"), hook.get("namespaceSelector")
            if (
                version is not None
                and is_selected(request, *selectors)
                and self._is_conditioned(each, request, version)
            ):
                yield _Call(each, version, index)

    def _is_conditioned(self, webhook: _Webhook, request: AdmissionRequest, version: str) -> bool:
        """True if its match conditions hold. Errors: Forbidden where that cannot be told."""
        if not webhook.conditions.programs:
            return True
        names = names_for(self._context, request, version)
        held = webhook.conditions.hold(names, Bill())
        if not isinstance(held, Err):
            return held
        if webhook.is_ignored:
            return False
        resource, name = request.served.resource, request.key.name
        raise forbidden(resource, name, f'webhook "{webhook.name}": {held.reason}')


def _ask(
    reviews: Reviews, call: _Call, request: AdmissionRequest, turn: int | None = None
) -> Verdict | None:
    """The verdict; None while it is not known, and where a failure counts as none.

    `turn` counts those in which one webhook is asked to change. Errors: ApiError where the webhook
    refuses, or cannot be asked and must be.
    """
    draft, webhook = request.draft, call.webhook
    effects = webhook.written.get("sideEffects")
    if draft.is_dry and effects not in ("None", "NoneOnDryRun"):
        raise BadRequest(f'admission webhook "{webhook.name}" does not support dry run')
    body = asked(request, call.version)
    is_mutating = turn is not None
    source = f"{webhook.source}/{turn}" if is_mutating else webhook.source
    found = reviews.verdict(source, webhook.written, body, is_mutating=is_mutating)
    if isinstance(found, CallFailed):
        if webhook.is_ignored:
            of = _OF_MUTATION if is_mutating else _OF_VALIDATION
            key = f"{_FAILED_OPEN}{of}round_{turn or 0}_index_{call.index}"
            draft.audit_annotations[key] = webhook.name
            return Verdict(is_allowed=True)
        raise InternalError(
            f'Internal error occurred: failed calling webhook "{webhook.name}": {found}'
        )
    if found is None:
        return None
    draft.warnings.extend(found.warnings)
    for key, value in found.audit_annotations.items():
        draft.audit_annotations.setdefault(f"{webhook.name}/{key}", value)
    if not found.is_allowed:
        raise Passed(denial(webhook.name, found.status))
    return found


def _mutate(webhooks: Webhooks, request: AdmissionRequest) -> None:
    """Lets each webhook change the object, in order; those who want to are asked once more where
    others have changed it since."""
    reviews = request.draft.reviews
    if reviews is None:
        return
    reviews.is_unsure = False
    if request.operation == CREATE:
        request.served.kind.default(request.object)  # they are shown complete objects
    before: list[_Call] = []  # asked already, to be asked again after a change
    again: list[_Call] = []
    for call in webhooks.relevant(request):
        changed = _carry_out(reviews, call, request, 0)
        if changed is None:
            return
        if changed:
            again += before
            before = []
        if call.webhook.is_reinvoked:
            before.append(call)
    for call in again:
        if _carry_out(reviews, call, request, 1) is None:
            return


def _carry_out(reviews: Reviews, call: _Call, request: AdmissionRequest, turn: int) -> bool | None:
    """True if the webhook has changed the object; None while it is not known."""
    verdict = _ask(reviews, call, request, turn)
    if verdict is None:
        reviews.is_unsure = True
        return None
    has_changed = bool(verdict.patch) and _apply(verdict, call, request)
    webhook = call.webhook
    said = {"configuration": webhook.configuration, "webhook": webhook.name, "mutated": has_changed}
    key = f"{_OF_MUTATION}round_{turn}_index_{call.index}"
    request.draft.audit_annotations[key] = orjson.dumps(said).decode()
    return has_changed


def _apply(verdict: Verdict, call: _Call, request: AdmissionRequest) -> bool:
    """True if the patch has changed the object."""
    webhook = call.webhook
    if request.operation == DELETE:
        raise InternalError(
            f'Internal error occurred: admission webhook "{webhook.name}" attempted to modify the '
            "object, which is not supported for this operation"
        )
    draft, served, obj = request.draft, request.served, request.object
    seen = draft.in_version(served, obj, api_version(served.resource.group, call.version))
    try:
        patched = json_patch(seen, verdict.patch)
    except ApiError as error:
        raise InternalError(f"Internal error occurred: {error.message}") from error
    decoded = served.kind.decode(draft.in_version(served, patched, served.resource.api_version))
    if decoded.causes:
        first = decoded.causes[0]
        raise InternalError(
            f'Internal error occurred: admission webhook "{webhook.name}" made an object that is '
            f"none: {first.field}: {first.message}"
        )
    new = decoded.object
    old = part(obj, "metadata")
    if old:  # options have none
        new["metadata"] = {
            **{k: v for k, v in new["metadata"].items() if k not in _KEPT},
            **{k: old[k] for k in _KEPT if k in old},
        }
    if request.operation == CREATE:
        request.served.kind.default(new)
    if new == obj:
        return False
    obj.clear()
    obj.update(new)
    return True


def _validate(webhooks: Webhooks, request: AdmissionRequest) -> None:
    reviews = request.draft.reviews
    if reviews is None or reviews.is_unsure:
        return
    problem: ApiError | None = None
    for call in list(webhooks.relevant(request)):  # all of them, so that all are asked at once
        try:
            _ask(reviews, call, request)
        except ApiError as error:
            problem = problem or error
    if problem is not None:
        raise problem


def webhooks(context: Context) -> list[Plugin]:
    mutating, validating = Webhooks(context, _MUTATING), Webhooks(context, _VALIDATING)

    def mutate(request: AdmissionRequest) -> None:
        _mutate(mutating, request)

    def mutate_unchanging(request: AdmissionRequest) -> None:
        if request.operation == DELETE:  # there is no step of changes
            _mutate(mutating, request)

    def validate(request: AdmissionRequest) -> None:
        _validate(validating, request)

    everything = frozenset(OPERATIONS)
    return [
        mutating.configurations.watch(),
        validating.configurations.watch(),
        Plugin(
            everything, mutating.concerns, mutate=mutate, admit=mutate_unchanging, stage=WEBHOOKS
        ),
        Plugin(everything, validating.concerns, admit=validate, stage=WEBHOOKS),
    ]


PLUGIN = webhooks
