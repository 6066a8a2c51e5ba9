"""What people ask about policies: are the files right, what is in force, since when, what was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.configfiles.policies import PolicySet, load_policies
from retention_worker.configfiles.policy_file import load_policy_file
from retention_worker.domain.errors import FileProblem, FileProblemsError, UnknownSubject
from retention_worker.domain.policy.period import Period
from retention_worker.service.context import Context
from retention_worker.service.tenants import tenant_id_of
from retention_worker.settings import WorkerSettings
from retention_worker.store.own import policies

_DATAMAP = "datamap.yaml"
_FOLDER = "tenants"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """How many files were looked at, and what is wrong with them."""

    files: int
    problems: tuple[FileProblem, ...]

    @staticmethod
    def stops_all(path: str) -> bool:
        """Whether a fault in that file stops every tenant: the data map, or the folder itself."""
        return Path(path).name in {_DATAMAP, _FOLDER}


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A policy that was applied: its periods as words (None: never) and the file as it was."""

    applied_at: datetime
    tenant: str
    all_credentials: str | None
    biometrics: str | None
    paused: bool
    revision: str | None
    digest: str
    content: str


def check(settings: WorkerSettings, files: Sequence[Path] = ()) -> Checked:
    """Look through files without a database.

    Args:
        settings: the folder and the operator's bounds.
        files: policies, or a `datamap.yaml`; none: everything in the folder.
    """
    if files:
        found = [_problems_of(path, settings) for path in files]
        return Checked(files=len(files), problems=tuple(each for part in found for each in part))
    problems = list(_problems_of(settings.config_dir / _DATAMAP, settings))
    try:
        loaded = load_policies(settings.config_dir, settings.bounds)
    except FileProblemsError as exc:
        return Checked(files=1, problems=(*problems, *exc.problems))
    if not (loaded.files or loaded.broken or loaded.problems):
        folder = str(settings.config_dir / _FOLDER)
        none = "there is no policy file: nothing is erased by retention: write <tenant>.yaml"
        problems.append(FileProblem(folder, 1, 1, "", none))
    return Checked(
        files=1 + len(loaded.files) + len(loaded.broken),
        problems=(*problems, *loaded.problems),
    )


def _problems_of(path: Path, settings: WorkerSettings) -> tuple[FileProblem, ...]:
    try:
        if path.name == _DATAMAP:
            load_datamap(path.parent)
        else:
            load_policy_file(path, settings.bounds)
    except FileProblemsError as exc:
        return exc.problems
    return ()


def known(settings: WorkerSettings, tenant: str | None) -> PolicySet:
    """All tenants' policies as the files have them, or one tenant's.

    Raises:
        UnknownSubject: the tenant has no file.
        FileProblemsError: the folder cannot be read.
    """
    found = load_policies(settings.config_dir, settings.bounds)
    if tenant is None:
        return found
    if tenant not in found.files and tenant not in found.broken:
        raise UnknownSubject(f"tenant {tenant!r} has no policy file: write tenants/{tenant}.yaml")
    return load_policies(settings.config_dir, settings.bounds, only=[tenant])


def history(context: Context, tenant: str) -> list[Applied]:
    """Every policy that was applied for a tenant, newest first.

    Raises:
        UnknownSubject: none ever was.
    """
    files = load_policies(context.settings.config_dir, context.settings.bounds)
    tenant_id = tenant_id_of(files, tenant, single=False)
    found = applied_of(context, [tenant_id])[tenant_id]
    if not found:
        raise UnknownSubject(f"no policy of tenant {tenant!r} was applied yet: the next sweep does")
    return found


def applied_of(context: Context, tenant_ids: Sequence[str]) -> dict[str, list[Applied]]:
    """Every policy that was applied, by tenant_id, newest first."""
    with context.reading() as session:
        return {
            tenant_id: [_applied(row) for row in policies.history(session, tenant_id)]
            for tenant_id in tenant_ids
        }


def _applied(row: dict[str, Any]) -> Applied:
    effective = row["effective"]
    return Applied(
        tenant=row["tenant"],
        digest=row["digest"],
        all_credentials=_words(effective["all_credentials"]),
        biometrics=_words(effective["biometrics"]),
        paused=effective["paused"],
        revision=row["revision"],
        applied_at=row["applied_at"],
        content=row["content"],
    )


def _words(period: str | None) -> str | None:
    """The log has ISO 8601, people read 90 days."""
    return None if period is None else str(Period.parse(period))
