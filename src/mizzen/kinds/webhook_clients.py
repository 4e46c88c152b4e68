"""Where a webhook listens, at a URL or behind a Service, and which reviews it understands.

Source: apiserver `util/webhook/validation.go`, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds import causes as words
from mizzen.kinds.names import dns_label_1035, dns_subdomain
from mizzen.kinds.reading import part

PORT = 443  # of a Service, where none is said


def check_client(client: Obj, path: str) -> Iterator[Cause]:
    """Every cause to refuse a `clientConfig`, but for its caBundle."""
    if ("url" in client) == ("service" in client):
        yield words.required(path, "exactly one of url or service is required")
    elif "url" in client:
        yield from _check_url(str(client["url"]), f"{path}.url")
    else:
        yield from _check_service(part(client, "service"), f"{path}.service")


def default_client(client: Obj) -> None:
    """Completes a `clientConfig` in place."""
    service = part(client, "service")
    if service:
        service.setdefault("port", PORT)


def check_review_versions(versions: list[str], path: str) -> Iterator[Cause]:
    """Every cause to refuse the versions of reviews that a webhook says it understands."""
    for index, each in enumerate(versions):
        if each in versions[:index]:
            yield words.invalid(f"{path}[{index}]", each, "duplicate version")
        elif problem := dns_label_1035(each):
            yield words.invalid(f"{path}[{index}]", each, problem)


def _check_service(service: Obj, path: str) -> Iterator[Cause]:
    # Upstream's caller mixes the two up, and so are the fields that it names.
    for name, other in (("namespace", "name"), ("name", "namespace")):
        if not service.get(name):
            yield words.required(f"{path}.{other}")
    port = service.get("port", PORT)
    if not 1 <= port <= 65535:
        what = "port is not valid: must be between 1 and 65535, inclusive"
        yield words.invalid(f"{path}.port", port, what)
    yield from _check_path(str(service.get("path") or "/"), f"{path}.path")


def _check_path(written: str, path: str) -> Iterator[Cause]:
    if written == "/":
        return
    if written == "//":
        yield words.invalid(path, written, "segment[0] may not be empty")
        return
    if not written.startswith("/"):
        yield words.invalid(path, written, "must start with a '/'")
    for index, step in enumerate(written[1:].removesuffix("/").split("/")):
        if not step:
            yield words.invalid(path, written, f"segment[{index}] may not be empty")
        elif problem := dns_subdomain(step):
            yield words.invalid(path, written, f"segment[{index}]: {problem}")


def _check_url(url: str, path: str) -> Iterator[Cause]:
    form = "; desired format: https://host[/path]"
    try:
        found = urlsplit(url)
        has_port = found.port is None or found.port > 0
    except ValueError as error:
        yield words.required(path, f"url must be a valid URL: {error}{form}")
        return
    if found.scheme != "https":
        yield words.invalid(path, found.scheme, f"'https' is the only allowed URL scheme{form}")
    if not found.hostname or not has_port:
        yield words.invalid(path, found.netloc, f"host must be specified{form}")
    if found.username is not None:
        user = found.netloc.rpartition("@")[0]
        yield words.invalid(path, user, "user information is not permitted in the URL")
    if found.fragment:
        yield words.invalid(path, found.fragment, "fragments are not permitted in the URL")
    if found.query:
        yield words.invalid(path, found.query, "query parameters are not permitted in the URL")
