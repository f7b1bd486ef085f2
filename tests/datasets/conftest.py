"""A local server that serves small files, well or badly; the real hosts are never reached."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from domain.datasets import cifar10, mnist, svhn, usps
from domain.datasets.download import RemoteFile


@dataclass
class Server:
    """What a test says of the server: its files by name, and how it fails on them.

    Attributes:
        files: content by name; any other name is a 404.
        faults: ``truncate`` sends half and closes as if done, ``reset`` aborts the connection half-way.
        asked: the names asked for, in order.
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            server.asked.append(name)
            if name not in server.files:
                return self.send_error(404)
            content, fault = server.files[name], server.faults.get(name)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fault else content)
            if fault == "reset":
                self.wfile.flush()
                # Zero linger makes close() send a reset instead of a clean end.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

        def log_message(self, *arguments: object) -> None:
            """Keep the test output clean."""

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    state.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches the real hosts: what is not found is asked of a closed port."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for module in (mnist, usps, cifar10, svhn):
        closed = tuple(
            RemoteFile(f.name, (f"http://127.0.0.1:9/{f.name}",), f.sha256, f.also) for f in module.FILES
        )
        monkeypatch.setattr(module, "FILES", closed)
