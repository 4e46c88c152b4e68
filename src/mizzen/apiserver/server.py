"""The context of every handler: the store, the kinds, the clock, the configuration."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from mizzen.apiserver.admission_chain import Admission, admission
from mizzen.apiserver.aggregation import Aggregation
from mizzen.apiserver.audit_annotations import note
from mizzen.apiserver.authentication import Authentication, authentication
from mizzen.apiserver.authorization import authorization
from mizzen.apiserver.context import Context
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.user import User
from mizzen.apiserver.draft import MANAGER, Draft
from mizzen.apiserver.flow_control import FlowControl
from mizzen.apiserver.identifiers import new_id
from mizzen.apiserver.kubelet_client import KubeletClient
from mizzen.apiserver.reviews import Draws, Options, Reviews, attempt
from mizzen.apiserver.templates import Templates
from mizzen.apiserver.watch_lines import Lines
from mizzen.apiserver.webhook_client import WebhookClient
from mizzen.base.errors import ApiError, Forbidden
from mizzen.kinds.resource.selectors import ALLOWANCE
from mizzen.kinds.validation_rules.running import BUDGET

T = TypeVar("T")
# Upstream's alphabet of generated names: no vowels, so that no words appear.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass
class Server(Context):
    """One API server: its parts, and what they share while it runs."""

    closing: asyncio.Event = field(default_factory=asyncio.Event)  # streams end when it is set
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter[tuple[str, str, int]])
    watch_events: Counter[str] = field(default_factory=Counter[str])
    watched: dict[object, Lines] = field(default_factory=dict[object, Lines])  # by their class
    authorize: Callable[[Access], bool] = field(init=False)  # by it, asked at every request
    authenticate: Authentication = field(init=False)
    admission: Admission = field(init=False)
    flows: FlowControl = field(init=False)
    templates: Templates = field(init=False)
    aggregation: Aggregation = field(init=False)
    kubelets: KubeletClient = field(init=False)
    webhooks: WebhookClient = field(init=False)

    def __post_init__(self) -> None:
        self.kubelets = KubeletClient(self.store, self.config.kubelet_client)
        self.webhooks = WebhookClient(self.store)
        self.authenticate = authentication(self)
        self.authorizer = authorization(self)
        self.authorize = self.authorizer.allows
        self.admission = admission(self)
        self.aggregation = Aggregation(self)
        self.flows = FlowControl(self.store, self.catalog, time.monotonic)
        self.templates = Templates(self.store)

    def denial(self, access: Access) -> Forbidden:
        """The answer to what nobody allows."""
        return refusals.denied(access, self.authorizer.reason(access))

    def draft(self, user: User) -> Draft:
        """For writes of the server's own, which nobody is asked about."""
        ALLOWANCE.renew()
        BUDGET.renew()
        return Draft(
            self.store,
            self.admission,
            user=user,
            now_ns=self.clock.now_ns(),
            new_id=new_id,
            new_suffix=_new_suffix,
        )

    async def attempt(
        self,
        user: User,
        work: Callable[[Draft], T],
        options: Options | None,
        *,
        is_dry: bool,
        manager: str = MANAGER,
    ) -> tuple[Draft, T]:
        """The draft of a request's writes, to be committed in this very tick, and what `work` made.

        Where webhooks are to be asked, `work` is done again for their answers, with the same names
        and moment: it reads and writes by its draft alone. Errors: those of `work`.
        """
        draft = self.draft(user)
        draft.is_dry, draft.manager = is_dry, manager
        reviews = draft.reviews = Reviews(options)
        try:
            result = work(draft)
        except ApiError as error:
            if not reviews.is_waiting:
                error.warnings = draft.warnings
                note(draft.audit_annotations)
                raise
        else:
            if not reviews.is_waiting:
                note(draft.audit_annotations)
                return draft, result
        ids, suffixes = Draws(new_id), Draws(_new_suffix)

        def begin(reviews: Reviews) -> Draft:
            nonlocal draft
            again = self.draft(user)
            ids.rewind()
            suffixes.rewind()
            again.new_id, again.new_suffix = ids, suffixes
            again.now_ns, again.is_dry, again.reviews = draft.now_ns, is_dry, reviews
            again.manager = manager
            draft = again
            return again

        try:
            return await attempt(begin, work, self.webhooks, Reviews(options))
        except ApiError as error:
            error.warnings = draft.warnings
            raise
        finally:
            note(draft.audit_annotations)


def _new_suffix() -> str:
    return "".join(random.choices(_ALPHABET, k=5))
