"""Reviews of access. What answers them is `apiserver/virtual`."""

from __future__ import annotations

from mizzen.base.resources import (
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
)
from mizzen.kinds.upstream import upstream_kind

KINDS = (
    upstream_kind(
        SUBJECT_ACCESS_REVIEWS, "Whether somebody may do something.", is_stored=False
    ),
    upstream_kind(
        LOCAL_SUBJECT_ACCESS_REVIEWS,
        "Whether somebody may do something in a namespace.", is_stored=False,
    ),
    upstream_kind(
        SELF_SUBJECT_ACCESS_REVIEWS, "Whether whoever asks may do something.", is_stored=False
    ),
    upstream_kind(
        SELF_SUBJECT_RULES_REVIEWS, "What whoever asks may do in a namespace.", is_stored=False
    ),
)  # fmt: skip
