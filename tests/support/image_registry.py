"""A registry of images on this machine, for pods that insist on pulling: reads one OCI layout (tar).

Source: OCI Distribution Specification 1.1, pulls alone.
"""

from __future__ import annotations

import contextlib
import json
import re
import tarfile
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/?]+)(\?.*)?")


@contextlib.contextmanager
def image_registry(images: Path) -> Generator[str]:
    """The registry's URL, for as long as the block; it has all images under any registry's name."""
    with tarfile.open(images) as archive:
        blobs = {
            f"sha256:{Path(member.name).name}": member
            for member in archive.getmembers()
            if member.name.startswith("blobs/sha256/")
        }
        index = archive.extractfile("index.json")
        assert index is not None, images
        lock = threading.Lock()
        tags: dict[tuple[str, str], str] = {}
        kinds: dict[str, str] = {}
        for each in json.load(index)["manifests"]:
            named, _, tag = each["annotations"]["io.containerd.image.name"].rpartition(":")
            tags[named.partition("/")[2], tag] = each["digest"]
            kinds[each["digest"]] = each["mediaType"]

        def read(digest: str) -> bytes | None:
            if digest not in blobs:
                return None
            with lock:
                file = archive.extractfile(blobs[digest])
                assert file is not None, digest
                return file.read()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = _PATH.fullmatch(self.path)
                digest = ""
                if found is not None:
                    wanted = found["reference"]
                    digest = tags.get((found["name"], wanted), wanted)
                data = b"{}" if self.path == "/v2/" else read(digest)
                self.send_response(200 if data is not None else 404)
                data = data or b"{}"
                self.send_header("Content-Type", kinds.get(digest, "application/octet-stream"))
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Docker-Content-Digest", digest)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(data)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
