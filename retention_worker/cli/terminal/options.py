"""Options that several commands take, and how their values are read."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from retention_worker.domain.policy.duration import parse_duration


def time(text: str) -> datetime:
    """Read a time: ISO 8601 with a zone.

    Raises:
        typer.BadParameter: it is anything else; a time without a zone could mean several.
    """
    example = "write ISO 8601 with a zone, like 2026-12-31T00:00:00Z"
    try:
        found = datetime.fromisoformat(text.strip())
        if found.tzinfo is None:
            raise typer.BadParameter(f"{text!r} has no time zone: {example}")
        return found.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise typer.BadParameter(f"{text!r} is no time: {example}") from exc


def length(text: str) -> timedelta:
    """Read a length of time such as `7d`.

    Raises:
        typer.BadParameter: it is anything else.
    """
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is no length of time: {exc}") from exc


def actor_of(given: str | None) -> str:
    """Who does it, for the record: what was given, or the user of this machine."""
    if given is not None:
        return given
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry in /etc/passwd
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _said(value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise typer.BadParameter("is empty: write a few words")
    return value.strip() if value is not None else None


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Tenant = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        metavar="TENANT",
        help="The tenant of the account; required where the data map has a tenant column.",
    ),
]
Tenants = Annotated[
    list[str] | None,
    typer.Option(
        "--tenant", metavar="TENANT", help="Only this tenant; may be repeated. Default: all."
    ),
]
Reason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", callback=_said, help="Why, for the record."),
]
OptionalReason = Annotated[
    str | None,
    typer.Option("--reason", metavar="TEXT", callback=_said, help="Why, for the record."),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        metavar="TIME",
        parser=time,
        help="When it ends: ISO 8601 with a zone. Default: when it is ended by hand.",
    ),
]
Actor = Annotated[
    str | None,
    typer.Option(
        "--actor",
        metavar="NAME",
        callback=_said,
        help="Who, for the record. Default: the user and the host.",
    ),
]
