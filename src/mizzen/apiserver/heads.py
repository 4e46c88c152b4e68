"""Headers of requests: a client sends the same ones again and again, so they are read once."""

from __future__ import annotations

from mizzen.apiserver.core import impersonation, media_types, negotiate

HEADS_MAX = 512  # different ones; the oldest go first
HEAD_BYTES_MAX = 2048  # what is longer is read each time
ID_HEADERS = ("audit-id", "x-request-id")  # Kubernetes' name, which wins, and proxies'

Fields = tuple[tuple[bytes, bytes], ...]


class Head(dict[str, str]):
    """Values by name in lower case, shared by all requests with these very headers: never change
    it. Beside them what every request asks of them, worked out once.

    `bearer_token` is the one that they come with (RFC 6750, section 2.1), `patch_type` the
    type of the body where it is a patch, as it is written. `takes_json`: objects as they are stored;
    `takes_yaml` and `takes_protobuf_alone`: all answers, errors too.
    """

    __slots__ = (
        "accept",
        "bearer_token",
        "content_type",
        "has_id",
        "impersonates",
        "patch_type",
        "takes_json",
        "takes_protobuf_alone",
        "takes_yaml",
    )

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.accept = values.get("accept", "")
        content_type = values.get("content-type", "")
        self.content_type = media_types.media_type(content_type) if content_type else ""
        self.patch_type = content_type.partition(";")[0].strip()
        scheme, _, token = values.get("authorization", "").partition(" ")
        self.bearer_token = token.strip() if scheme.lower() == "bearer" else None
        self.impersonates = any(name.startswith(impersonation.PREFIX) for name in values)
        self.has_id = any(name in values for name in ID_HEADERS)
        self.takes_json = negotiate.takes_json(self.accept)
        self.takes_protobuf_alone = negotiate.takes_protobuf_alone(self.accept)
        self.takes_yaml = negotiate.takes_yaml(self.accept)


class Heads:
    """The headers that one server's clients have sent lately."""

    def __init__(self) -> None:
        self._known: dict[Fields, Head] = {}

    def head(self, fields: Fields) -> Head:
        """What they say; a name that is repeated has its last value."""
        known = self._known
        found = known.get(fields)
        if found is None:
            found = Head({n.decode("latin-1").lower(): v.decode("latin-1") for n, v in fields})
            if sum(len(name) + len(value) for name, value in fields) <= HEAD_BYTES_MAX:
                if len(known) >= HEADS_MAX:
                    del known[next(iter(known))]
                known[fields] = found
        return found

    def __len__(self) -> int:
        return len(self._known)
