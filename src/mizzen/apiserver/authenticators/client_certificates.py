"""Authenticates clients by the certificate that they showed in the handshake (`certificate_port.py`)."""

from __future__ import annotations

from mizzen.apiserver.authentication import Authenticator
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.user import User
from mizzen.apiserver.http import Request


def client_certificates(context: Context) -> Authenticator:
    clock = context.clock

    def authenticate(request: Request) -> User | None:
        """None where it has ended, too: a token that is sent along may still count."""
        certificate = request.certificate
        if certificate is None or certificate.user is None:
            return None
        if not certificate.begins_ns <= clock.now_ns() <= certificate.ends_ns:
            return None
        return certificate.user

    return authenticate


AUTHENTICATOR = client_certificates
