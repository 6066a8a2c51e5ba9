"""/health: answers as long as the process lives, and blocks nobody."""

import json
import socket
import urllib.request
from typing import Any
from urllib.error import HTTPError

import pytest

from retention_worker import health
from retention_worker.domain.errors import ConfigurationError

HOST = "127.0.0.1"


def get(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    """The status and the body of a request."""
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.status, answer.read()


def test_it_answers_what_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    """The report as it is at that moment, as JSON, without a line in any log."""
    report: dict[str, Any] = {"status": "ok", "last_sweep": None}
    with health.serving(HOST, 0, lambda: report) as port:
        assert json.loads(get(port, "/health")[1]) == report
        report["last_sweep"] = {"exit": 0}
        assert json.loads(get(port, "/health?probe=1")[1]) == report
        assert get(port, "/health", "HEAD") == (200, b"")
        for path in ("/", "/healthz", "/health/../x"):
            with pytest.raises(HTTPError, match="404"):
                get(port, path)
    assert capsys.readouterr() == ("", "")


def test_a_client_that_says_nothing_holds_nobody() -> None:
    """Others are answered while it is connected, and the end does not wait for it."""
    with (
        health.serving(HOST, 0, lambda: {"status": "ok"}) as port,
        socket.create_connection((HOST, port)),
    ):
        assert get(port, "/health")[0] == 200


def test_an_address_that_cannot_be_had() -> None:
    """Taken, or not this host's: a wrong setting, named."""
    with health.serving(HOST, 0, dict) as port:
        for host, wanted in ((HOST, port), ("192.0.2.1", 0), ("no.such.host.invalid", 0)):
            with (
                pytest.raises(ConfigurationError, match="RETENTION_HEALTH_PORT"),
                health.serving(host, wanted, dict),
            ):
                pass


def test_it_listens_on_ipv6() -> None:
    """A host with colons is an address of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with (
        health.serving("::1", 0, lambda: {"status": "ok"}) as port,
        socket.create_connection(("::1", port)),
    ):
        pass
