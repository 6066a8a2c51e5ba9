"""The policy file of a tenant: `<tenant>.yaml`, from its bytes to a policy or its problems."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from retention_worker.configfiles.problems import in_order, problem_at, validated
from retention_worker.configfiles.text import FileText, problem, read
from retention_worker.configfiles.yaml_nodes import Document, parse
from retention_worker.domain.errors import FileProblem, FileProblemsError
from retention_worker.domain.policy.period import Period
from retention_worker.domain.policy.policy import Policy, PolicyBounds

NEVER = "never"
# Safe as a file's name on every system, in a URL and as a label of a metric.
TENANT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
SUFFIX = ".yaml"
# Files are read at each sweep, and parsing ten thousand that did not change would take seconds of
# it; this keeps their outcome (about 2 KB each) by their content.
REMEMBERED = 20_000


@dataclass(frozen=True, kw_only=True)
class PolicyFile:
    """A policy file that is right; `content_hash` is the SHA-256 (hex) of its bytes."""

    path: Path
    text: str
    content_hash: str
    policy: Policy


@dataclass(frozen=True, kw_only=True)
class FileOutcome:
    """What became of one file: it, or what is wrong with it.

    `tenant_id` is what the file claims, as far as it could be read, and `line` and `column` where:
    a file that is wrong can still be the second with one tenant_id.
    """

    file: PolicyFile | None = None
    problems: tuple[FileProblem, ...] = ()
    tenant_id: str
    line: int = 1
    column: int = 1


def _period(value: Any) -> Any:
    if value is None:
        raise ValueError("is empty: write never, or leave the line out")
    if isinstance(value, bool | list | dict):
        raise ValueError("is no period: write one such as 90 days, or never")
    return None if value == NEVER else Period.parse(str(value))


def _name(value: Any) -> Any:
    # To turn a number into text is to guess: 1e5, 1.0 and +7 would come out as something else than
    # what stands in the file. Quotes leave nothing to guess, here and in every other program.
    if isinstance(value, bool | int | float):
        raise ValueError("is no text: write it in quotes, so that it stays what it is")
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is no name: write one, or leave the line out")
    return value


def _text(value: Any) -> Any:
    return "" if value is None else value


class _Entry(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True
    )


class RetentionEntry(_Entry):
    """The key `retention` of a policy file."""

    all_credentials: Annotated[Period | None, BeforeValidator(_period)] = None
    biometrics: Annotated[Period | None, BeforeValidator(_period)] = None


class PolicyEntry(_Entry):
    """A policy file as it is written."""

    tenant: Annotated[str, BeforeValidator(_name)]
    tenant_id: Annotated[str | None, BeforeValidator(_name)] = None
    retention: RetentionEntry = Field(default_factory=RetentionEntry)
    paused: bool = False
    notes: Annotated[str, BeforeValidator(_text)] = ""


def load_policy_file(path: Path, bounds: PolicyBounds) -> PolicyFile:
    """Read one file, wherever it is; it is named for its tenant.

    Raises:
        FileProblemsError: it is missing or wrong; one problem for each fault.
    """
    if stray := misplaced(path):
        raise FileProblemsError([stray])
    outcome = outcome_of(path, bounds)
    if outcome.file is None:
        raise FileProblemsError(outcome.problems)
    return outcome.file


def misplaced(path: Path) -> FileProblem | None:
    """What is wrong with the file's name, if anything."""
    if path.suffix != SUFFIX:
        message = "is no policy: name it <tenant>.yaml, or take it out of the folder"
    elif not re.fullmatch(TENANT_NAME, path.stem):
        message = (
            "is not named for a tenant: use letters, digits, dot, dash and underscore,"
            " at most 100, the first a letter or a digit"
        )
    else:
        return None
    return problem(path, 1, 1, message)


def outcome_of(path: Path, bounds: PolicyBounds) -> FileOutcome:
    """Read one file and judge it; never raises for what stands in it."""
    try:
        source = read(path)
    except FileProblemsError as exc:
        return FileOutcome(problems=exc.problems, tenant_id=path.stem)
    return _judged(path, source, bounds)


@lru_cache(maxsize=REMEMBERED)
def _judged(path: Path, source: FileText, bounds: PolicyBounds) -> FileOutcome:
    """Depends on its arguments alone, so that what did not change is not parsed again."""
    try:
        document = parse(path, source)
    except FileProblemsError as exc:
        return FileOutcome(problems=exc.problems, tenant_id=path.stem)
    file: PolicyFile | None = None
    problems: tuple[FileProblem, ...] = ()
    try:
        file = _policy_file(document, bounds)
    except FileProblemsError as exc:
        problems = exc.problems
    claim = document.value.get("tenant_id") if isinstance(document.value, dict) else None
    mark = document.marks.get(("tenant_id",)) or document.marks.get(("tenant",))
    return FileOutcome(
        file=file,
        problems=problems,
        tenant_id=claim if isinstance(claim, str) else path.stem,
        line=mark.line if mark else 1,
        column=mark.column if mark else 1,
    )


def _policy_file(document: Document, bounds: PolicyBounds) -> PolicyFile:
    entry = validated(PolicyEntry, document, {"tenant": f"tenant: {document.path.stem}"})
    policy = Policy(
        tenant=entry.tenant,
        tenant_id=entry.tenant if entry.tenant_id is None else entry.tenant_id,
        all_credentials=entry.retention.all_credentials,
        biometrics=entry.retention.biometrics,
        paused=entry.paused,
        notes=entry.notes or None,
    )
    problems = [
        problem_at(document, tuple(broken.key.split(".")), broken.message)
        for broken in bounds.check(policy)
    ]
    if entry.tenant != document.path.stem:
        message = f"{entry.tenant!r} is not the file's name: write {document.path.stem}"
        problems.append(problem_at(document, ("tenant",), message))
    if problems:
        raise FileProblemsError(in_order(problems))
    return PolicyFile(
        path=document.path,
        text=document.source.text,
        content_hash=document.source.content_hash,
        policy=policy,
    )
