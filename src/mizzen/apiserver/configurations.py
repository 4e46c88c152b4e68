"""Objects that configure admission, read once and again after one of them was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from mizzen.apiserver.admission_chain import (
    CREATE,
    UPDATE,
    AdmissionRequest,
    Plugin,
    Transaction,
)
from mizzen.apiserver.context import Context
from mizzen.base.objects import Obj
from mizzen.store.store import ObjectKey

_T = TypeVar("_T")


class Configurations(Generic[_T]):
    """What `read` makes of every object of a resource, by name.

    Writes on their way to the disk count, as everywhere in admission, until it refuses them.
    """

    def __init__(self, context: Context, resource: str, read: Callable[[Obj], _T]) -> None:
        self._context = context
        self._resource = resource
        self._read = read
        self._items: list[_T] | None = None

    def items(self) -> Sequence[_T]:
        if self._items is None:
            stored = self._context.store.peek_all(self._resource)
            self._items = [self._read(each.object()) for each in stored]
        return self._items

    def watch(self) -> Plugin:
        """The plug-in that notices writes of the resource."""

        def change(draft: Transaction) -> None:
            self._forget()
            draft.on_lost(self._forget)

        def written(request: AdmissionRequest) -> None:
            change(request.draft)

        def removed(draft: Transaction, key: ObjectKey, gone: Obj) -> None:
            if key.resource == self._resource:
                change(draft)

        return Plugin(
            frozenset((CREATE, UPDATE)),
            lambda served: served.key == self._resource,
            admit=written,
            remove=removed,
        )

    def _forget(self) -> None:
        self._items = None
        self._context.admission_epoch.number += 1
