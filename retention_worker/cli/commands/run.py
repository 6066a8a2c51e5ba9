"""The command `run`: the long-running process."""

from __future__ import annotations

import os
import sys

from retention_worker.cli.terminal.context import open_context


def run() -> None:
    """Sweep on schedule until SIGTERM or Ctrl-C, which end it after the batch in hand.

    Settings are environment variables RETENTION_*; /health answers on RETENTION_HEALTH_PORT.
    """
    from retention_worker import scheduler

    with open_context(service=True) as context:
        code = scheduler.run(context)
        if code:
            # A sweep hangs in a statement, and the interpreter would wait for its thread without
            # end; the server rolls back what is open.
            sys.stderr.flush()
            os._exit(code)
