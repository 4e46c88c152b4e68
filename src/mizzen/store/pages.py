"""Reads an LMDB file without LMDB, which trusts it: each page is checked before it is used.

LMDB follows what a damaged page says to wherever that leads: a signal or a failed assertion ends
the process. Here the file is read with pread, and whatever does not fit raises `Broken`, or is told
and passed over.

Source: LMDB 0.9 `mdb.c`: MDB_meta, MDB_db, MDB_page, MDB_node; little-endian, 64 bits.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_META = struct.Struct("<IIQQ")  # magic, version, address, map size; two trees, last page, txnid
_TREE = struct.Struct("<IHHQQQQQ")  # page size, flags, depth, pages of 3 kinds, entries, root
_ENDS = struct.Struct("<QQ")
_PAGE = struct.Struct("<QHHHH")  # number, padding, flags, lower, upper
_OVERFLOW_PAGE = struct.Struct("<Q2xHI")  # number, flags, how many pages
_NODE = struct.Struct("<HHHH")  # size or page number, low and high; flags or its rest; key bytes
_NUMBER = struct.Struct("<Q")
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _OVERFLOW, _META_PAGE = 1, 2, 4, 8
_BIG, _SUBTREE = 1, 2  # flags of nodes: the value is on pages of its own; it is a tree
_NUMBERED = 8  # flag of a tree: its keys are numbers of the machine
_NO_PAGE = 0xFFFFFFFFFFFFFFFF
_DEPTH_MAX = 32  # of LMDB's own cursors
_FIRST_READ_BYTES = 512
_PAGE_SIZES = tuple(1 << n for n in range(9, 17))

Entry = tuple[bytes, bytes]


class Broken(Exception):
    """The file's content is impossible; the message says where and why."""


@dataclass(slots=True)
class Tree:
    """A table, as its parent describes it, or as it was found."""

    depth: int = 0
    branches: int = 0
    leaves: int = 0
    overflows: int = 0
    entries: int = 0
    root: int = _NO_PAGE
    flags: int = 0


class _Order:
    """Keys come in ascending order, each on its side of what divides its parents."""

    def __init__(self, numbered: bool) -> None:
        self._numbered = numbered
        self._last: bytes | None = None
        self._low: bytes | None = None

    def divide(self, key: bytes) -> bool:
        """A key that all before lie below, and none of what follows."""
        self._low = self._form(key)
        return self._last is None or self._last < self._low

    def follow(self, key: bytes) -> bool:
        last, self._last = self._last, self._form(key)
        low, self._low = self._low, None
        return (last is None or self._last > last) and (low is None or self._last >= low)

    def _form(self, key: bytes) -> bytes:
        return key[::-1] if self._numbered else key


class PageFile:
    """A file of LMDB. Errors of all that read: Broken, OSError.

    `on_broken` hears of what is passed over; without it the first such thing is raised.
    """

    def __init__(self, path: Path, on_broken: Callable[[Broken], None] | None = None) -> None:
        self._path = path
        self._on_broken = on_broken
        self.offset = 0  # of the page or entry that was read last, in bytes
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._size = os.fstat(self._file).st_size
            self._page_bytes = self._page_size()
            self._transaction, self._free, self._main, self._last = self._newest_root()
        except BaseException:
            os.close(self._file)
            raise
        self._used = bytearray(self._last + 1)

    def close(self) -> None:
        os.close(self._file)

    def tables(self) -> tuple[dict[bytes, Tree], dict[bytes, bytes]]:
        """The named tables, and the entries of the main one beside them."""
        trees: dict[bytes, Tree] = {}
        values: dict[bytes, bytes] = {}
        for key, value, flags in self._entries(self._main):
            if flags & _SUBTREE:
                trees[key] = _tree(value)
            else:
                values[key] = value
        return trees, values

    def entries(self, tree: Tree) -> Iterator[Entry]:
        """All of a table, in order."""
        for key, value, _ in self._entries(tree):
            yield key, value

    def check_free(self) -> None:
        """No page that is free is used, or free twice. Called after all tables were read."""
        for key, value, _ in self._entries(self._free, _NUMBERED):
            if _NUMBER.unpack(key)[0] > self._transaction:
                raise Broken("pages are free since a transaction that is yet to come")
            (count,) = _NUMBER.unpack_from(value)
            if len(value) < 8 * (count + 1):
                raise Broken("a list of free pages is shorter than it says")
            before = self._last + 1
            for number in struct.unpack_from(f"<{count}Q", value, 8):
                if number >= before:
                    raise Broken("a list of free pages is out of order")
                self._take(number)
                before = number

    # -- roots ------------------------------------------------------------------

    def _newest_root(self) -> tuple[int, Tree, Tree, int]:
        """(transaction, free pages, main table, last page) of the newer of both roots."""
        roots: list[tuple[int, Tree, Tree, int]] = []
        for number in (0, 1):
            try:
                roots.append(self._root(number))
            except Broken as error:
                self._tell(error)
        if not roots:
            raise Broken("neither of its roots can be read")
        first, second = roots[0][0], roots[-1][0]
        if len(roots) == 2 and (
            abs(first - second) > 1
            or ((first, second) != (0, 0) and max(first, second) & 1 != (second > first))
        ):
            self._tell(Broken(f"its roots, {first} and {second}, do not belong together"))
        return roots[0] if first > second else roots[-1]

    def _root(self, number: int) -> tuple[int, Tree, Tree, int]:
        page = self._read(number, 1)
        found, _, flags, _, _ = _PAGE.unpack_from(page)
        magic, version, _, _ = _META.unpack_from(page, _PAGE.size)
        if (found, flags, magic, version) != (number, _META_PAGE, _MAGIC, _VERSION):
            raise Broken(f"root {number} is none")
        at = _PAGE.size + _META.size
        page_bytes = _TREE.unpack_from(page, at)[0]
        last, transaction = _ENDS.unpack_from(page, at + 2 * _TREE.size)
        free, main = _tree(page[at:]), _tree(page[at + _TREE.size :])
        # Of a page that was never needed after all the file may lack the end, but not much.
        if page_bytes != self._page_bytes or last * page_bytes > 64 * max(self._size, 1 << 20):
            raise Broken(
                f"root {number} speaks of {last + 1} pages of {page_bytes} bytes, the file has "
                f"{self._size} bytes"
            )
        return transaction, free, main, last

    def _page_size(self) -> int:
        """As root 0 says; where it is none, root 1, which lies one page behind it."""
        if self._size < _FIRST_READ_BYTES:
            raise Broken(f"it has {self._size} bytes")
        for at in (0, *_PAGE_SIZES):
            head = os.pread(self._file, _FIRST_READ_BYTES, at)
            if len(head) < _FIRST_READ_BYTES:
                break
            (magic,) = struct.unpack_from("<I", head, _PAGE.size)
            size = _TREE.unpack_from(head, _PAGE.size + _META.size)[0]
            if magic == _MAGIC and size in _PAGE_SIZES and at in (0, size):
                return size
        raise Broken("neither of its roots can be read")

    # -- trees ------------------------------------------------------------------

    def _entries(self, tree: Tree, flags: int = 0) -> Iterator[tuple[bytes, bytes, int]]:
        """(key, value, flags) of every entry; then the tree must have been what it was said to
        be."""
        found = Tree(root=tree.root, flags=flags)
        if tree.root != _NO_PAGE:
            yield from self._walk(tree.root, 1, found, _Order(bool(flags & _NUMBERED)))
        if found != tree:
            self._tell(Broken(f"a table is said to be {tree} and is {found}"))

    def _walk(
        self, number: int, depth: int, found: Tree, order: _Order
    ) -> Iterator[tuple[bytes, bytes, int]]:
        try:
            page, flags, offsets = self._node_page(number, depth)
        except Broken as error:
            self._tell(error)
            return
        found.depth = max(found.depth, depth)
        if flags == _BRANCH:
            found.branches += 1
            for index, offset in enumerate(offsets):
                low, high, rest, key_bytes = _NODE.unpack_from(page, offset)
                start = offset + _NODE.size
                if index and not order.divide(page[start : start + key_bytes]):
                    self._tell(Broken(f"page {number} divides its children wrongly"))
                yield from self._walk(low | high << 16 | rest << 32, depth + 1, found, order)
            return
        found.leaves += 1
        for offset in offsets:
            try:
                entry = self._leaf_node(number, page, offset, found)
            except Broken as error:
                self._tell(error)
                continue
            if not order.follow(entry[0]):
                self._tell(Broken(f"page {number} has a key out of order"))
            found.entries += 1
            yield entry

    def _node_page(self, number: int, depth: int) -> tuple[bytes, int, tuple[int, ...]]:
        """A branch or leaf: its bytes, flags and where its nodes are."""
        if depth > _DEPTH_MAX:
            raise Broken(f"page {number} is {depth} levels deep")
        self._take(number)
        page = self._read(number, 1)
        found, _, flags, lower, upper = _PAGE.unpack_from(page)
        if found != number or flags not in (_BRANCH, _LEAF):
            raise Broken(f"page {number} is not what its parent says")
        if not _PAGE.size <= lower <= upper <= self._page_bytes or lower & 1:
            raise Broken(f"page {number} has impossible bounds")
        offsets = struct.unpack_from(f"<{(lower - _PAGE.size) // 2}H", page, _PAGE.size)
        if offsets and (min(offsets) < upper or max(offsets) > self._page_bytes - _NODE.size):
            raise Broken(f"page {number} has an impossible node")
        return page, flags, offsets

    def _leaf_node(
        self, number: int, page: bytes, offset: int, found: Tree
    ) -> tuple[bytes, bytes, int]:
        low, high, flags, key_bytes = _NODE.unpack_from(page, offset)
        size = low | high << 16
        start = offset + _NODE.size
        end = start + key_bytes
        if flags not in (0, _BIG, _SUBTREE):
            raise Broken(f"page {number} has an impossible node")
        self.offset = number * self._page_bytes + offset
        if flags & _BIG:
            if end + _NUMBER.size > self._page_bytes:
                raise Broken(f"page {number} has an impossible node")
            value = self._overflow(_NUMBER.unpack_from(page, end)[0], size, found)
        else:
            if end + size > self._page_bytes:
                raise Broken(f"page {number} has an impossible node")
            value = page[end : end + size]
        return page[start:end], value, flags

    def _overflow(self, number: int, size: int, found: Tree) -> bytes:
        """A value on pages of its own."""
        self._take(number)
        needed = (_PAGE.size + size + self._page_bytes - 1) // self._page_bytes
        if number + needed > self._last + 1:
            raise Broken(f"a value of {size} bytes at page {number} is beyond the last page")
        data = self._read(number, needed)
        told, flags, count = _OVERFLOW_PAGE.unpack_from(data)
        if told != number or flags != _OVERFLOW or not needed <= count <= self._last:
            raise Broken(f"page {number} is not what its parent says")
        if count > 1:
            for each in range(number + 1, number + count):
                self._take(each)
        found.overflows += count
        return data[_PAGE.size : _PAGE.size + size]

    def _take(self, number: int) -> None:
        if not 2 <= number <= self._last:
            raise Broken(f"page {number} is beyond the last page, {self._last}")
        if self._used[number]:
            raise Broken(f"page {number} is used twice")
        self._used[number] = 1

    def _read(self, number: int, pages: int) -> bytes:
        self.offset = number * self._page_bytes
        wanted = pages * self._page_bytes
        data = os.pread(self._file, wanted, number * self._page_bytes)
        if len(data) < wanted:
            raise Broken(f"page {number} lies behind its end: it was cut off at {self._size} bytes")
        return data

    def _tell(self, error: Broken) -> None:
        if self._on_broken is None:
            raise error
        self._on_broken(error)


def _tree(data: bytes) -> Tree:
    if len(data) < _TREE.size:
        raise Broken("the description of a table is cut off")
    _, flags, depth, branches, leaves, overflows, entries, root = _TREE.unpack_from(data)
    return Tree(depth, branches, leaves, overflows, entries, root, flags)
