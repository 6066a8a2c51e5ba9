"""The program as people and scripts have it: a process with an environment, output and a code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import structlog

from retention_worker.cli import main

PROGRAM = Path(sys.executable).parent / "retention-worker"
# Far more than any of it takes on a busy machine.
TIMEOUT = 60
# What of a developer's environment a test needs; nothing else reaches the program.
_INHERITED = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @cached_property
    def json(self) -> Any:
        """Standard output, which is one JSON document and nothing else."""
        return json.loads(self.out)

    @property
    def log(self) -> list[dict[str, Any]]:
        """The events on standard error."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    @property
    def complaints(self) -> list[str]:
        """The lines on standard error that are no log."""
        return [line for line in self.err.splitlines() if not line.startswith("{")]

    def lane(self, scope: str, tenant: str = "acme") -> dict[str, Any]:
        """One lane of a report."""
        lanes: list[dict[str, Any]] = self.json["lanes"]
        return next(each for each in lanes if (each["tenant"], each["scope"]) == (tenant, scope))


class Running:
    """A process that goes on while the test does something."""

    def __init__(self, process: subprocess.Popen[str], out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of that name that were logged so far."""
        # Only whole lines: the last one may be half written.
        lines = [line for line in self._err.read_text().splitlines(True) if line.endswith("\n")]
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in found if event["event"] == name]

    def await_events(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until an event was logged so often."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            if len(found := self.events(name)) >= count:
                return found
            assert self.process.poll() is None, self._err.read_text()
            time.sleep(0.02)
        raise AssertionError(f"{name} was not logged {count} times:\n{self._err.read_text()}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> Result:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> Result:
        """Wait for the end."""
        code = self.process.wait(TIMEOUT)
        return Result(code=code, out=self._out.read_text(), err=self._err.read_text())


@dataclass(kw_only=True)
class Program:
    """Runs the program in an empty folder, with no more environment than is given."""

    folder: Path
    environment: dict[str, str]
    command: Sequence[Path | str] = (PROGRAM,)

    def run(self, *arguments: str, input: str = "", **environment: str) -> Result:
        """Run a command to its end; `input` is what it can read."""
        done = subprocess.run(
            [*self.command, *arguments],
            env=self._environment(environment),
            cwd=self.folder,
            input=input,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Result(code=done.returncode, out=done.stdout, err=done.stderr)

    def call(self, *arguments: str, **environment: str) -> Result:
        """Run a command in this process: for the many wrong uses, which end at once."""
        out, err = StringIO(), StringIO()
        with (
            redirect_stdout(out),
            redirect_stderr(err),
            chdir(self.folder),
            patch.dict(os.environ, self._environment(environment), clear=True),
        ):
            code = main(arguments)
        structlog.reset_defaults()
        return Result(code=code, out=out.getvalue(), err=err.getvalue())

    def json(self, *arguments: str, **environment: str) -> Any:
        """Run a command that ends well, with --json."""
        done = self.run(*arguments, "--json", **environment)
        assert done.code == 0, done
        return done.json

    @contextmanager
    def start(self, *arguments: str, **environment: str) -> Iterator[Running]:
        """Start a command, to do something while it goes on; it is killed afterwards."""
        out, err = self.folder / "stdout", self.folder / "stderr"
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(
                [*self.command, *arguments],
                env=self._environment(environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                text=True,
            )
        try:
            yield Running(process, out, err)
        finally:
            process.kill()
            process.wait()

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return inherited | self.environment | dict(more)
