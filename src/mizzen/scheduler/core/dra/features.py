"""The allocation features that are on, and which of upstream's three allocators that means.

Upstream picks the most stable allocator that knows all features asked for; they differ in more
than features (see `Features.variant`), and `compat` answers as the one picked would.
Source: k8s.io/dynamic-resource-allocation/structured (allocator.go, internal/types.go), v0.36.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Variant = Literal["stable", "incubating", "experimental"]


@dataclass(frozen=True, slots=True)
class Features:
    """Features on beside the general-available (admin access and prioritised lists always are)."""

    taints: bool = False
    partitions: bool = False
    binding: bool = False
    consumable: bool = False
    lists: bool = False

    @property
    def variant(self) -> Variant:
        """The upstream allocator that answers.

        stable: slices in the order given, no shares. incubating: pools and slices by name, pools
        with binding conditions last. experimental: lists compared as sets.
        """
        if self.lists:
            return "experimental"
        return "incubating" if self.consumable or self.binding else "stable"


ALL = Features(taints=True, partitions=True, binding=True, consumable=True, lists=True)
