"""This program's end of the pipes to its keeper: one JSON line asks, one answers."""

import contextlib
import json
import select
import subprocess
import sys
import threading
from typing import Any

from retention_worker.embedded import supervisor
from retention_worker.embedded.errors import EmbeddedServerError

# Longer than the sum of what the keeper itself allows for any command, so that its own, more
# telling error comes first; only a keeper that hangs (a dead disk) meets this limit.
ANSWER_SECONDS = 200


class Pipe:
    """A keeper process, and the pipe whose end tells it that we are gone.

    No wait here reads a clock: `select` counts inside the kernel, so that it ends in time even
    where a test has frozen Python's clocks.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A script run without site-packages starts in a few hundredths of a second. A session of
        # its own keeps Ctrl-C of a terminal away from it, or it could not clean up after us.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(supervisor.__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        """The keeper's process id."""
        return self._process.pid

    @property
    def open(self) -> bool:
        """Whether the keeper still listens to us."""
        assert self._process.stdin is not None
        return not self._process.stdin.closed

    def ask(self, command: str, **details: object) -> dict[str, Any]:
        """Have the keeper do `command`, wait for it, and return what it answers.

        Raises:
            EmbeddedServerError: it failed, or the keeper is gone.
        """
        assert self._process.stdin is not None
        with self._lock:
            if not self.open:
                raise EmbeddedServerError("the embedded server was closed")
            try:
                line = json.dumps({"command": command, **details}).encode() + b"\n"
                self._process.stdin.write(line)
                answer = self._answer()
            except BaseException as exc:
                # Interrupted or broken: the next answer would belong to this question. Hanging up
                # makes the keeper stop the server and remove everything.
                self._hang_up()
                if isinstance(exc, OSError):
                    raise EmbeddedServerError("the embedded server's keeper is gone") from exc
                raise
        if "error" in answer:
            raise EmbeddedServerError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """Hang up and wait until the keeper has removed everything; harmless when repeated.

        Raises:
            EmbeddedServerError: it did not end in time, or said that something was left.
        """
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return
        self._hang_up()
        try:
            last_words = self._read_until_end()
        except EmbeddedServerError:
            self._process.kill()
            raise
        finally:
            self._process.stdout.close()
            code = self._process.wait()
        if code != 0:
            said = " ".join(last_words.decode(errors="replace").split())
            raise EmbeddedServerError(f"the embedded server's keeper failed ({code}): {said}")

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        # Said and not only done: a child that we forked may hold the pipe open for long.
        with contextlib.suppress(OSError, ValueError):  # it is gone, or we hung up before
            self._process.stdin.write(b'{"command": "close"}\n')
        self._process.stdin.close()

    def _answer(self) -> dict[str, Any]:
        received = b""
        while not received.endswith(b"\n"):
            chunk = self._read()
            if not chunk:
                raise EmbeddedServerError(f"the embedded server's keeper ended: {_words(received)}")
            received += chunk
        try:
            answer: dict[str, Any] = json.loads(received)
        except ValueError:  # a traceback of Python itself
            raise EmbeddedServerError(
                f"the embedded server's keeper broke: {_words(received)}"
            ) from None
        return answer

    def _read_until_end(self) -> bytes:
        received = b""
        while chunk := self._read():
            received += chunk
        return received

    def _read(self) -> bytes:
        assert self._process.stdout is not None
        poll = select.poll()
        poll.register(self._process.stdout, select.POLLIN)
        if not poll.poll(ANSWER_SECONDS * 1000):
            raise EmbeddedServerError(
                f"the embedded server's keeper gave no answer for {ANSWER_SECONDS} s"
            )
        return self._process.stdout.read(65536) or b""


def _words(output: bytes) -> str:
    return " ".join(output.decode(errors="replace").split()) or "it said nothing"
