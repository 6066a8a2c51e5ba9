"""The image's health check: whichever command the container runs, its /health counts."""

import json
import os
import re
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from retention_worker import health

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
HOST = "127.0.0.1"
PORTS = ("RETENTION_HEALTH_PORT", "RETENTION_WEB_PORT")


def exit_code(**environment: str) -> int:
    """What the image's own line ends with, under a proxy that must not be asked."""
    found = re.search(r"^HEALTHCHECK.*?CMD (\[.*?\])$", DOCKERFILE, re.M | re.S)
    assert found is not None
    program, *arguments = json.loads(found[1])
    assert program == "python3"
    around = {"PATH": os.environ["PATH"], "http_proxy": "http://127.0.0.1:1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=around | environment, timeout=30, check=False).returncode


def unused() -> str:
    """A port that nobody answers on."""
    with socket.create_server((HOST, 0)) as taken:
        return str(taken.getsockname()[1])


@pytest.mark.parametrize("mine", PORTS)
def test_whichever_process_answers_counts(mine: str) -> None:
    """`run` on its port or `serve` on its own, the other one closed; nobody: not healthy."""
    nobody = dict.fromkeys(PORTS, unused())
    with health.serving(HOST, 0, lambda: {"status": "ok"}) as port:
        assert exit_code(**nobody | {mine: str(port)}) == 0
    assert exit_code(**nobody) == 1


def test_another_answer_is_no_health() -> None:
    """Somebody else's server on the port, which knows no /health."""
    server = ThreadingHTTPServer((HOST, 0), BaseHTTPRequestHandler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        port = str(server.server_address[1])
        assert exit_code(**dict.fromkeys(PORTS, port)) == 1
    finally:
        server.shutdown()
        server.server_close()


def test_the_image_answers_from_outside() -> None:
    """Both commands listen on every address of the container, on ports that it declares."""
    assert re.search(r"RETENTION_HEALTH_HOST=0\.0\.0\.0", DOCKERFILE)
    assert re.search(r"RETENTION_WEB_HOST=0\.0\.0\.0", DOCKERFILE)
    declared = re.search(r"^EXPOSE (.*)$", DOCKERFILE, re.M)
    assert declared is not None
    assert set(declared[1].split()) == set(
        re.findall(r"RETENTION_(?:HEALTH|WEB)_PORT=(\d+)", DOCKERFILE)
    )
