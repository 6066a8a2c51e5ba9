"""An S3 on loopback that can be made to fail: moto's server behind a small proxy of our own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

# What moto takes for anybody, and what the SDK finds in its usual places.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}

Fault = Callable[[str, str, bytes], "tuple[int, bytes] | str | None"]
"""Method, path and body of a request: an answer of its own, `drop`, `hang`, or None: go on."""


class S3:
    """Speaks to the server directly, and says how requests through the proxy fare."""

    def __init__(self, endpoint: str, proxy: _Proxy) -> None:
        self._proxy = proxy
        self.endpoint = proxy.endpoint
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def bucket(self, name: str, *, versioned: bool = False, lock: bool = False) -> None:
        """A new bucket."""
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=lock)
        if versioned:
            self.client.put_bucket_versioning(
                Bucket=name, VersioningConfiguration={"Status": "Enabled"}
            )

    def put(self, uri: str, body: bytes = b"image") -> None:
        """Write an object."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def keys(self, bucket: str) -> set[str]:
        """Keys with any version or marker."""
        found: set[str] = set()
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=bucket)
        for page in pages:
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                found.add(each["Key"])
        return found

    def fail(self, fault: Fault | None) -> None:
        """What becomes of requests from now on; None: nothing is wrong."""
        self._proxy.fault = fault

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of every request that came through the proxy."""
        return self._proxy.requests


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    fault: Fault | None = None

    def __init__(self, upstream: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _handler(self, upstream))
        self.requests: list[tuple[str, str]] = []
        self.hangs = threading.Event()
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gives up is what some tests are about."""


def _handler(proxy: _Proxy, upstream: tuple[str, int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            proxy.requests.append((self.command, self.path))
            fault = proxy.fault(self.command, self.path, body) if proxy.fault else None
            if fault == "drop":
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if fault == "hang":
                proxy.hangs.wait(30)
                self.close_connection = True
                return
            status, headers, answer = (
                (fault[0], [("Content-Type", "application/xml")], fault[1])
                if isinstance(fault, tuple)
                else self._pass_on(body)
            )
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = HTTPConnection(*upstream, timeout=60)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            finally:
                connection.close()

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    return Handler


@contextmanager
def s3_server() -> Iterator[tuple[str, _Proxy]]:
    """The server and the proxy before it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    proxy = _Proxy((host, port))
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{port}", proxy
    finally:
        proxy.hangs.set()
        proxy.shutdown()
        proxy.server_close()
        server.stop()


def error(code: str, message: str = "no") -> bytes:
    """The body of an error as S3 writes it."""
    return (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    ).encode()


def errors(keys: list[str], code: str) -> bytes:
    """The answer of a bulk deletion that refused these keys."""
    rows = "".join(f"<Error><Key>{key}</Key><Code>{code}</Code></Error>" for key in keys)
    return f"<?xml version='1.0'?><DeleteResult>{rows}</DeleteResult>".encode()
