"""The context of every handler: the store, the kinds, the clock, the configuration."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from mizzen.apiserver.admission_chain import Admission, admission
from mizzen.apiserver.authorization import authorization
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.user import User
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.kubelet_client import KubeletClient
from mizzen.kinds.resource.selectors import ALLOWANCE
from mizzen.kinds.validation_rules.running import BUDGET

# Upstream's alphabet of generated names: no vowels, so that no words appear.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass
class Server(Context):
    """One API server: its parts, and what they share while it runs."""

    closing: asyncio.Event = field(default_factory=asyncio.Event)  # streams end when it is set
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter[tuple[str, str, int]])
    watch_events: Counter[str] = field(default_factory=Counter[str])
    authorize: Callable[[Access], bool] = field(init=False)
    admission: Admission = field(init=False)
    kubelets: KubeletClient = field(init=False)

    def __post_init__(self) -> None:
        self.kubelets = KubeletClient(self.store, self.config.kubelet_client)
        self.authorize = authorization(self)
        self.admission = admission(self)

    def draft(self, user: User) -> Draft:
        """For the writes of one request."""
        ALLOWANCE.renew()
        BUDGET.renew()
        return Draft(
            self.store,
            self.admission,
            user=user,
            now_ns=self.clock.now_ns(),
            new_id=_new_id,
            new_suffix=_new_suffix,
        )


def _new_id() -> str:
    return str(uuid.uuid4())


def _new_suffix() -> str:
    return "".join(random.choices(_ALPHABET, k=5))
