"""Kubeconfig files: where the server is, whom to trust, who we are.

Source: client-go `tools/clientcmd/api/v1`. Left out: exec and auth-provider plug-ins,
impersonation, proxies; a file that needs them is refused by name.
"""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson

from mizzen.base.errors import BadRequest

_UNSUPPORTED = ("exec", "auth-provider", "username", "password")


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything needed to talk to one API server; PEM contents, not paths."""

    server: str  # "https://127.0.0.1:6443", no trailing slash
    certificate_authority: str = ""
    token: str = ""
    client_certificate: str = ""
    client_key: str = ""
    namespace: str = "default"
    tls_server_name: str = ""
    verify: bool = True
    token_file: str = ""  # where `token` was read; a cluster writes a new one there now and then

    def fresh_token(self) -> str:
        """The token as the file has it now; the one known where it cannot be read."""
        if not self.token_file:
            return self.token
        try:
            return Path(self.token_file).read_text().strip() or self.token
        except OSError:
            return self.token

    def ssl_context(self) -> ssl.SSLContext:
        """TLS that trusts this connection's CA alone (the system's where none is named).

        Errors: BadRequest where an authority, certificate or key is none.
        """
        try:
            context = ssl.create_default_context(cadata=self.certificate_authority or None)
        except (ssl.SSLError, ValueError) as error:
            message = f"certificate authority of {self.server} is no certificate: {error}"
            raise BadRequest(message) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate:
            # The ssl module loads key pairs from files only; this one is gone right after.
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as pair:
                pair.write(f"{self.client_certificate}\n{self.client_key}\n")
                pair.flush()
                try:
                    context.load_cert_chain(pair.name)
                except ssl.SSLError as error:
                    message = f"client certificate and key for {self.server} are no pair: {error}"
                    raise BadRequest(message) from error
        return context


def load(path: Path, *, context: str = "") -> Connection:
    """The connection that the file's current (or the named) context stands for.

    Errors: BadRequest that names the file and what is wrong with it.
    """
    try:
        raw = _parse(path.read_bytes())
    except OSError as error:
        raise BadRequest(f"kubeconfig {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadRequest(f"kubeconfig {path} is not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise BadRequest(f"kubeconfig {path} is not a mapping")
    return from_mapping(cast("Mapping[str, Any]", raw), path, context=context)


def from_mapping(config: Mapping[str, Any], path: Path, *, context: str = "") -> Connection:
    """As `load`, from the parsed file; `path` resolves relative file names and names errors."""
    wanted = context or str(config.get("current-context") or "")
    chosen = _entry(config, path, "contexts", "context", wanted)
    cluster = _entry(config, path, "clusters", "cluster", str(chosen.get("cluster") or ""))
    user_name = str(chosen.get("user") or "")
    user: Mapping[str, Any] = {}
    if user_name:
        user = _entry(config, path, "users", "user", user_name)
    for field in _UNSUPPORTED:
        if user.get(field):
            raise BadRequest(
                f"kubeconfig {path}: user {user_name!r} uses {field}; "
                "only a token and client certificates are supported"
            )
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise BadRequest(f"kubeconfig {path}: server {server!r} is not an http(s) URL")
    token, token_file = str(user.get("token") or ""), ""
    if not token and user.get("tokenFile"):
        token_file = str(path.parent / str(user["tokenFile"]))
        token = _read(path, token_file).strip()
    return Connection(
        server=server,
        certificate_authority=_pem(cluster, "certificate-authority", path),
        token=token,
        client_certificate=_pem(user, "client-certificate", path),
        client_key=_pem(user, "client-key", path),
        namespace=str(chosen.get("namespace") or "default"),
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        token_file=token_file,
        verify=not cluster.get("insecure-skip-tls-verify"),
    )


def _parse(data: bytes) -> Any:
    """YAML, or its subset JSON, which is what Mizzen itself writes. Errors: ValueError."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # Loaded here, so that Mizzen's own processes do without.
        import yaml

        try:
            return yaml.safe_load(data)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"line {mark.line + 1}: " if mark else ""
            raise ValueError(f"{place}{error.problem or error.context}") from error
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error


def _entry(
    config: Mapping[str, Any], path: Path, section: str, field: str, name: str
) -> Mapping[str, Any]:
    found: Any = config.get(section) or []
    if not isinstance(found, list) or not all(
        isinstance(e, dict) for e in cast("list[Any]", found)
    ):
        raise BadRequest(f"kubeconfig {path}: {section} is not a list of mappings")
    entries = cast("list[dict[str, Any]]", found)
    for entry in entries:
        if entry.get("name") == name:
            content: Any = entry.get(field) or {}
            if not isinstance(content, dict):
                raise BadRequest(f"kubeconfig {path}: {field} {name!r} is not a mapping")
            return cast("dict[str, Any]", content)
    known = ", ".join(str(entry.get("name")) for entry in entries) or "none"
    raise BadRequest(f"kubeconfig {path}: no {field} named {name!r}; there are: {known}")


def _pem(section: Mapping[str, Any], field: str, path: Path) -> str:
    data = section.get(f"{field}-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadRequest(f"kubeconfig {path}: {field}-data is not base64 PEM") from error
    return _read(path, str(section[field])) if section.get(field) else ""


def _read(path: Path, name: str) -> str:
    target = path.parent / name
    try:
        return target.read_text()
    except OSError as error:
        raise BadRequest(f"kubeconfig {path}: {target} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"kubeconfig {path}: {target} is not text") from error
