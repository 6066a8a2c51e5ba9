"""Driver errors become the project's own, without the data that a server's message may quote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from retention_worker.domain.errors import (
    BatchTimeout,
    DatabaseUnavailable,
    DriftError,
    RetentionWorkerError,
    StatementFailed,
)

_TIMEOUTS = (
    errors.LockNotAvailable,
    errors.DeadlockDetected,
    errors.QueryCanceled,
    errors.SerializationFailure,
)
# Class 42: a name, a type or a privilege that the map promised is not there.
_DRIFT_CLASS = "42"
# Classes in which the server, not the account, is at fault: connection (08), resources such as a
# full disk (53), operator intervention such as a restart (57), system errors (58).
_SERVER_CLASSES = ("08", "53", "57", "58")


@contextmanager
def translated() -> Iterator[None]:
    """Raise the project's errors for the driver's."""
    try:
        yield
    except psycopg.Error as exc:
        raise translate(exc) from exc


def translate(exc: psycopg.Error) -> RetentionWorkerError:
    """The project's error for one of the driver's.

    PostgreSQL quotes values in its messages (`Key (email)=(...) already exists`), so only the
    SQLSTATE and the names of objects travel on.
    """
    state = exc.sqlstate
    if isinstance(exc, _TIMEOUTS):
        return BatchTimeout(_describe(exc), state)
    if state is None and isinstance(exc, (psycopg.OperationalError, psycopg.InterfaceError)):
        return DatabaseUnavailable(_connection_message(exc))
    if state is not None and state.startswith(_SERVER_CLASSES):
        return DatabaseUnavailable(_describe(exc))
    if state is not None and state.startswith(_DRIFT_CLASS):
        return DriftError(f"{_describe(exc)}: {_first_line(exc)}: run doctor")
    return StatementFailed(_describe(exc), state)


def _describe(exc: psycopg.Error) -> str:
    diagnostic = exc.diag
    names = [
        f"{label} {value}"
        for label, value in (
            ("table", diagnostic.table_name),
            ("constraint", diagnostic.constraint_name),
        )
        if value
    ]
    suffix = f" ({', '.join(names)})" if names else ""
    return f"PostgreSQL refused with SQLSTATE {exc.sqlstate} {type(exc).__name__}{suffix}"


def _first_line(exc: psycopg.Error) -> str:
    # In class 42 the message names objects of the catalog, never the rows' values.
    return (exc.diag.message_primary or "").splitlines()[0] if exc.diag.message_primary else ""


def _connection_message(exc: psycopg.Error) -> str:
    text = str(exc).strip().splitlines()
    return f"the database cannot be reached: {text[0] if text else type(exc).__name__}"
