"""A finding: what is wrong with map or server, how bad it is, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`refuse`: nothing is erased until it is mended. `warn`: slow or forgotten.

    `wrong`: sweeps go on, and some of what is due cannot go, or is not what it seems. `note`: it
    is good to know.
    """

    REFUSE = "refuse"
    WRONG = "wrong"
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    `check` is a stable slug (`row-security`), `subject` what it is about (`public.images`,
    `credentials[face templates]`), `message` one line that says what is wrong and what to do,
    `sql` what mends it, where SQL can.
    """

    severity: Severity
    check: str
    subject: str
    message: str
    sql: str | None = None


def refuse(check: str, subject: object, message: str, sql: str | None = None) -> Finding:
    """A finding that stops the lanes."""
    return Finding(
        severity=Severity.REFUSE, check=check, subject=str(subject), message=message, sql=sql
    )


def wrong(check: str, subject: object, message: str, sql: str | None = None) -> Finding:
    """A finding that a person must mend, though lanes go on."""
    return Finding(
        severity=Severity.WRONG, check=check, subject=str(subject), message=message, sql=sql
    )


def warn(check: str, subject: object, message: str, sql: str | None = None) -> Finding:
    """A finding that a person should look at."""
    return Finding(
        severity=Severity.WARN, check=check, subject=str(subject), message=message, sql=sql
    )


def note(check: str, subject: object, message: str) -> Finding:
    """A finding that is good to know."""
    return Finding(severity=Severity.NOTE, check=check, subject=str(subject), message=message)
