"""TLS in which both sides show a certificate of the instance's own authority.

Between components where one asks the other by itself: the API server asks the agents of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class MutualTls:
    """The certificate that one side shows, and the authority of the other's."""

    ca_file: Path
    cert_file: Path
    key_file: Path

    def server_context(self) -> ssl.SSLContext:
        """Accepts clients that the authority has certified. Errors: OSError, SSLError."""
        import ssl  # 3 MiB of the supervisor, which only makes the files

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Speaks to servers that the authority has certified alone. Errors: OSError, SSLError."""
        import ssl

        context = ssl.create_default_context(cafile=self.ca_file)
        context.load_cert_chain(self.cert_file, self.key_file)
        return context
