"""What a command starts from: the settings, the log, a worker that is closed afterwards.

What is slow to import comes with the call, so that `--help` need not wait for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention_worker.service.context import Context
    from retention_worker.settings import WorkerSettings


def read_settings(*, service: bool = False) -> WorkerSettings:
    """Read the settings and set the log up.

    A person at a terminal gets the log's content as the command's own answer, so there only errors
    are logged, unless a level was set.

    Args:
        service: a long-running process: it has no other voice than its log.
    """
    from retention_worker import log
    from retention_worker import settings as environment

    settings = environment.load()
    quiet = not service and sys.stderr.isatty() and "log_level" not in settings.model_fields_set
    log.configure("ERROR" if quiet else settings.log_level)
    return settings


@contextmanager
def open_context(*, service: bool = False, serving: bool = False) -> Iterator[Context]:
    """A worker for the settings of this process.

    Args:
        service: as in `read_settings`.
        serving: as in `worker_of`.
    """
    from retention_worker.bootstrap import context_of

    context = context_of(read_settings(service=service), serving=serving)
    try:
        yield context
    finally:
        context.pool.close()
