"""What is not as it seems though nothing has failed: every sweep and plan says it, exit code 1."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from retention_worker.configfiles.policies import PolicyFile
from retention_worker.domain.report import ReportWarning
from retention_worker.store import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.session import Session

__all__ = ["refused_words", "told", "unmatched"]

# More tenants than this are not gone through for one that looks alike.
_TENANTS = 2_000


def told(
    session: Session,
    compiled: CompiledMap,
    files: Sequence[PolicyFile],
    *,
    empty: set[str],
    now: datetime,
    skew: timedelta,
) -> tuple[ReportWarning, ...]:
    """What a sweep or a plan says of these policies; `empty` are tenants without an account."""
    nobody = (
        ReportWarning(
            code="policy_matches_no_account",
            tenant=file.policy.tenant,
            message=f"{file.path}: {words}",
        )
        for file, words in unmatched(session, compiled, files, empty)
    )
    return (*nobody, *_of_activity(session, compiled, files, now + skew))


def unmatched(
    session: Session, compiled: CompiledMap, files: Sequence[PolicyFile], empty: set[str]
) -> Iterator[tuple[PolicyFile, str]]:
    """Policies that match no account; what the database has that looks like it is named."""
    without = [file for file in files if file.policy.tenant_id in empty]
    known = accounts.known_tenants(session, compiled, _TENANTS) if without else []
    for file in without:
        tenant_id = file.policy.tenant_id
        alike = [each for each in known if tenant_id and tenant_id in each]
        alike = alike or difflib.get_close_matches(tenant_id, known, n=1, cutoff=0.5)
        cure = f"is it tenant_id: {alike[0]}" if alike else "mend tenant_id, or remove the file"
        yield file, f"no account has the tenant {tenant_id!r}: {cure}"


def _of_activity(
    session: Session, compiled: CompiledMap, files: Sequence[PolicyFile], latest: datetime
) -> Iterator[ReportWarning]:
    """Tenants with activity in the future: until then nothing of those accounts is ever due."""
    by_id = {file.policy.tenant_id: file for file in files}
    names = [time.column for time in compiled.datamap.accounts.last_activity]
    for tenant_id in sorted(accounts.ahead(session, compiled, list(by_id), latest)):
        yield ReportWarning(
            code="activity_in_the_future",
            tenant=by_id[tenant_id].policy.tenant,
            message=f"accounts of {by_id[tenant_id].policy.tenant} have an activity in the future "
            f"({', '.join(names)}), and are not due until its period is over: is the unit right; "
            "`verify` counts and names them",
        )


def refused_words(compiled: CompiledMap) -> str:
    """What is wrong with a tenant_id that the tenant column's type refuses."""
    accounts_map = compiled.datamap.accounts
    return (
        f"is no value that {accounts_map.table}.{accounts_map.tenant} can have: write the tenant "
        "as that column has it"
    )
