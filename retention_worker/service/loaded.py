"""What services read with: files and compiled map, anew or as the process remembers them."""

from __future__ import annotations

from retention_worker.service import memory
from retention_worker.service.context import Worker
from retention_worker.service.memory import Loaded
from retention_worker.store.connection.pool import Connection
from retention_worker.store.migrations import check

__all__ = ["Loaded", "check_schema", "load"]


def load(worker: Worker, conn: Connection) -> Loaded:
    """The files and the compiled map.

    Raises:
        ConfigurationError: a file, the schema or what the map says of the catalog is wrong.
    """
    if worker.memory is not None:
        return worker.memory.loaded(conn)
    return memory.read(worker.settings, conn)


def check_schema(worker: Worker, conn: Connection) -> None:
    """Look at the worker's own schema.

    Raises:
        SchemaError: it is not the one that this version knows.
    """
    if worker.memory is not None:
        worker.memory.check(conn)
    else:
        check(conn, worker.settings.schema_name)
