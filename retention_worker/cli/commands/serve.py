"""The command `serve`: the HTTP API and the portal."""

from __future__ import annotations

from typing import Annotated

import typer

from retention_worker.cli.terminal.context import open_context


def serve(
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="HOST", help="Default: RETENTION_WEB_HOST, 127.0.0.1."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="PORT", min=0, max=65_535, help="Default: RETENTION_WEB_PORT, 8080."
        ),
    ] = None,
) -> None:
    """Answer the HTTP API and the portal until SIGTERM or Ctrl-C; requests in hand end first."""
    from retention_worker import web

    with open_context(service=True, serving=True) as context:
        settings = context.settings
        chosen = settings.web_port if port is None else port
        raise typer.Exit(web.serve(context, host or settings.web_host, chosen))
