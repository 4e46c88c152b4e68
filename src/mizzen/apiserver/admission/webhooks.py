"""Asks mutating and validating webhooks about the writes that their rules name.

The calls themselves are made between two attempts of a write (`reviews.py`): here what is to be
asked is asked for, and what was answered is carried out.
Source: k8s.io/apiserver/pkg/admission/plugin/webhook, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mizzen.apiserver.admission_chain import (
    BIND,
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
from mizzen.base.reading import entries
from mizzen.cel.values import Err
from mizzen.kinds.admission_expressions import Scope
from mizzen.kinds.patches import json_patch

_MUTATING = f"mutatingwebhookconfigurations.{EXEMPT_GROUP}"
_VALIDATING = f"validatingwebhookconfigurations.{EXEMPT_GROUP}"


@dataclass(frozen=True, slots=True, eq=False)
class _Webhook:
    """One webhook of a configuration; `source` names it among all."""

    source: str
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
            written=each,
            rules=entries(each, "rules"),
            is_equivalent=(each.get("matchPolicy") or "Equivalent") == "Equivalent",
            is_ignored=each.get("failurePolicy") == "Ignore",
            is_reinvoked=each.get("reinvocationPolicy") == "IfNeeded",
            conditions=Conditions.of(entries(each, "matchConditions"), Scope(has_variables=False)),
        )
        for index, each in enumerate(entries(configuration, "webhooks"))
    ]


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

    def relevant(self, request: AdmissionRequest) -> Iterator[tuple[_Webhook, str]]:
        """Those whose rules and selectors choose this write, with the version that they are to
        see; selectors look at the object as it is when its turn comes."""
        catalog = self._context.catalog
        for each in self._all():
            version = version_for(catalog, request, each.rules, is_equivalent=each.is_equivalent)
            hook = each.written
            selectors = hook.get("objectSelector"), hook.get("namespaceSelector")
            if (
                version is not None
                and is_selected(request, *selectors)
                and self._is_conditioned(each, request, version)
            ):
                yield each, version

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
    reviews: Reviews, webhook: _Webhook, version: str, request: AdmissionRequest, turn: str
) -> Verdict | None:
    """The verdict; None while it is not known, and where a failure counts as none.

    Errors: ApiError where the webhook refuses, or cannot be asked and must be.
    """
    draft = request.draft
    effects = webhook.written.get("sideEffects")
    if draft.is_dry and effects not in ("None", "NoneOnDryRun"):
        raise BadRequest(f'admission webhook "{webhook.name}" does not support dry run')
    body = asked(request, version)
    is_mutating = bool(turn)
    found = reviews.verdict(
        f"{webhook.source}{turn}", webhook.written, body, is_mutating=is_mutating
    )
    if isinstance(found, CallFailed):
        if webhook.is_ignored:
            return Verdict(is_allowed=True)
        raise InternalError(
            f'Internal error occurred: failed calling webhook "{webhook.name}": {found}'
        )
    if found is None:
        return None
    draft.warnings.extend(found.warnings)
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
    before: list[tuple[_Webhook, str]] = []  # asked already, to be asked again after a change
    again: list[tuple[_Webhook, str]] = []
    for webhook, version in webhooks.relevant(request):
        changed = _apply(reviews, webhook, version, request, "/1")
        if changed is None:
            return
        if changed:
            again += before
            before = []
        if webhook.is_reinvoked:
            before.append((webhook, version))
    for webhook, version in again:
        if _apply(reviews, webhook, version, request, "/2") is None:
            return


def _apply(
    reviews: Reviews, webhook: _Webhook, version: str, request: AdmissionRequest, turn: str
) -> bool | None:
    """True if the webhook has changed the object; None while it is not known."""
    verdict = _ask(reviews, webhook, version, request, turn)
    if verdict is None:
        reviews.is_unsure = True
        return None
    if not verdict.patch:
        return False
    if request.operation == DELETE:
        raise InternalError(
            f'Internal error occurred: admission webhook "{webhook.name}" attempted to modify the '
            "object, which is not supported for this operation"
        )
    draft, served, obj = request.draft, request.served, request.object
    seen = draft.in_version(served, obj, api_version(served.resource.group, version))
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
    kept = ("name", "namespace", "uid", "creationTimestamp", "generation")
    old = obj["metadata"]
    new["metadata"] = {
        **{k: v for k, v in new["metadata"].items() if k not in kept},
        **{k: old[k] for k in kept if k in old},
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
    chosen: Sequence[tuple[_Webhook, str]] = list(webhooks.relevant(request))
    for webhook, version in chosen:  # all of them, so that all are asked at once
        try:
            _ask(reviews, webhook, version, request, "")
        except ApiError as error:
            problem = problem or error
    if problem is not None:
        raise problem


def webhooks(context: Context) -> list[Plugin]:
    mutating, validating = Webhooks(context, _MUTATING), Webhooks(context, _VALIDATING)

    def mutate(request: AdmissionRequest) -> None:
        _mutate(mutating, request)

    def mutate_unchanging(request: AdmissionRequest) -> None:
        if request.operation in (BIND, DELETE):  # there is no step of changes
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
