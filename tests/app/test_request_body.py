"""Bodies that are too large, on real connections: the answer arrives, though nobody reads the body."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from copilotkit_runtime_py import CopilotRuntime, Limits, create_router
from tests.servers import find_nginx, free_port

pytestmark = pytest.mark.processes

LIMIT = 2_000_000
LARGE = b"x" * 8_000_000
# Its workers write bodies into a folder of this account.
NGINX = """
user {user} {group};
events {{ }}
http {{
    access_log off;
    client_body_temp_path {directory};
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_request_buffering {buffering};
        }}
    }}
}}
"""


@pytest.fixture(params=["h11", "httptools"])
def address(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A runtime that takes small bodies only, on either of uvicorn's HTTP implementations."""
    app = FastAPI()
    app.include_router(create_router(CopilotRuntime({}, limits=Limits(request_bytes=LIMIT))))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=request.param, log_level="error"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join(20)
    listener.close()


@contextlib.contextmanager
def nginx(directory: Path, upstream: int, buffering: str) -> Iterator[str]:
    """nginx before the runtime."""
    port = free_port()
    configuration = NGINX.format(
        user=pwd.getpwuid(os.getuid()).pw_name,
        group=grp.getgrgid(os.getgid()).gr_name,
        directory=directory,
        port=port,
        upstream=upstream,
        buffering=buffering,
    )
    (directory / "nginx.conf").write_text(configuration, encoding="utf-8")
    options = f"daemon off; pid {directory}/nginx.pid; error_log stderr notice;"
    command = (str(find_nginx()), "-c", str(directory / "nginx.conf"), "-g", options)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "start worker" in line:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=10)


def pieces() -> Iterator[bytes]:
    yield from (LARGE[:65536] for _ in range(100))


@pytest.mark.parametrize("buffering", ["on", "off"])
def test_a_proxy_passes_on_the_answer_to_a_body_that_is_too_large(
    buffering: str, address: tuple[str, int], tmp_path: Path
) -> None:
    with nginx(tmp_path, address[1], buffering) as url, httpx.Client(timeout=30) as client:
        for content in (LARGE, pieces()):
            answer = client.post(f"{url}/api/copilotkit", content=content)
            assert (answer.status_code, answer.json()["error"]) == (413, "Payload too large")
            assert "--max-body" in answer.json()["message"]


@pytest.mark.parametrize("length", ["content-length: 8000000", "transfer-encoding: chunked"])
def test_a_client_that_reads_when_it_has_sent_everything_gets_the_answer(
    length: str, address: tuple[str, int]
) -> None:
    head = f"POST /api/copilotkit HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{length}\r\n\r\n"
    chunked = b"7a1200\r\n%b\r\n0\r\n\r\n" % LARGE
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(head.encode() + (chunked if "chunked" in length else LARGE))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"}")
