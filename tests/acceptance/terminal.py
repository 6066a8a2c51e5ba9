"""The program on a terminal, with a person who reads and types."""

import os
import pty
import re
import select
import subprocess
import time

from tests.acceptance.program import PROGRAM, TIMEOUT, Program

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def converse(program: Program, *arguments: str, answers: dict[str, str]) -> tuple[int, str]:
    """Run a command on a terminal and answer what it asks.

    Args:
        program: the program.
        arguments: of the command.
        answers: what to type as soon as a text was shown, in this order.

    Returns:
        The exit code, and the whole screen's text without what steers the terminal.
    """
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, *arguments],
        env=program._environment({"COLUMNS": "100", "TERM": "xterm-256color"}),
        cwd=program.folder,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown, waiting = "", list(answers.items())
    end = time.monotonic() + TIMEOUT
    try:
        while time.monotonic() < end and (part := _read(master)) is not None:
            shown += part
            if waiting and waiting[0][0] in shown:
                os.write(master, f"{waiting.pop(0)[1]}\n".encode())
        return process.wait(TIMEOUT), _CONTROL.sub("", shown).replace("\r", "")
    finally:
        process.kill()
        process.wait()
        os.close(master)


def _read(master: int) -> str | None:
    """What was written since; None where the program has ended."""
    if not select.select([master], [], [], 0.1)[0]:
        return ""
    try:
        return os.read(master, 65536).decode(errors="replace") or None
    except OSError:  # Linux says so when the last writer has gone
        return None
