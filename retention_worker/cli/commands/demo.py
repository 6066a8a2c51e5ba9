"""The command `demo`: the whole job on a database that is made for it and thrown away."""

from __future__ import annotations

import typer

from retention_worker.domain.errors import ConfigurationError


def demo() -> None:
    """Show the whole job on an embedded PostgreSQL; leaves nothing behind."""
    try:
        from retention_worker.demo.show import show
    except ModuleNotFoundError as exc:
        raise ConfigurationError(
            f"{exc.name} is missing: pip install 'retention-worker[demo]'"
        ) from exc
    raise typer.Exit(show())
