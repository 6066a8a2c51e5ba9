"""The one tree of errors; each class says with which code the command line ends.

Exit codes: 1 something needs a person, 2 wrong use or configuration, 3 a guard or an unreachable
database refused. A message is one line that says what to do; it never holds a credential's content
or a password.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RetentionWorkerError(Exception):
    """Everything that this project raises on purpose."""

    exit_code = 1


class NeedsPerson(RetentionWorkerError):
    """Nothing is broken, but a person has to look."""

    exit_code = 1


class NotFinished(NeedsPerson):
    """A request is noted, and `run` or `sweep` finish it."""


class ConfigurationError(RetentionWorkerError):
    """Wrong use: a setting, a file or an argument."""

    exit_code = 2


class UnknownSubject(ConfigurationError):
    """No account, transaction, tenant or hold of that name."""


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A fault at a place of a file: `path:line:column: key: what is wrong, what to write`."""

    path: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.path}:{self.line}:{self.column}: {key}{self.message}"

    def __repr__(self) -> str:
        return f"FileProblem({str(self)!r})"


class FileProblemsError(ConfigurationError):
    """A file that people edit is missing, unreadable or wrong; `problems` has one entry a fault."""

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DriftError(ConfigurationError):
    """The data map does not fit the database's catalog (or no longer does)."""


class SchemaError(ConfigurationError):
    """The worker's own schema is missing, older or newer than this version knows."""


class GuardRefused(RetentionWorkerError):
    """A guard refuses to erase."""

    exit_code = 3


class OnHold(GuardRefused):
    """The account is on a legal hold, which wins over everything."""


class InProgress(GuardRefused):
    """Transactions have not ended yet, by the state that the data map names: their ids."""

    def __init__(self, transactions: Sequence[str], more: bool) -> None:
        self.transactions = tuple(transactions)
        rest = " and others" if more else ""
        super().__init__(
            f"still in progress: {', '.join(self.transactions)}{rest}: nothing was erased: wait "
            "for the end, or say that they are to be erased all the same (--in-progress)"
        )


class DatabaseUnavailable(RetentionWorkerError):
    """The database cannot be reached, or ended the connection."""

    exit_code = 3


class StatementFailed(RetentionWorkerError):
    """The database refused a statement; the message has the SQLSTATE and never the data."""

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        self.sqlstate = sqlstate
        super().__init__(message)


class BatchTimeout(StatementFailed):
    """A lock, a deadlock or the batch's deadline: a smaller batch may do it."""


class CameMeanwhile(StatementFailed):
    """A credential was committed between the look and its erasure: whoever looks again sees it."""


class IncompleteErasure(RetentionWorkerError):
    """What was erased is still there when looked at again, so the batch was rolled back."""


class StoreDown(RetentionWorkerError):
    """A store of objects cannot be reached, or refuses to speak to us at all."""
