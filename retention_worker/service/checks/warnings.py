"""What is not as it seems though nothing has failed: sweep, plan and doctor say it, exit code 1."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from retention_worker.configfiles.policies import PolicySet
from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.lane.report import ReportWarning, WarningCode
from retention_worker.store.catalog import Catalog, has_dates
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.own import deferred
from retention_worker.store.own import policies as log

# More tenants than this are not gone through for one that looks alike.
_TENANTS = 2_000
_NO_TENANT = ""


def latest_known(datamap: DataMap, catalog: Catalog, now: datetime, skew: timedelta) -> datetime:
    """The latest time that is not in the future, as clocks agree; a date is its day's end."""
    return now + skew + (timedelta(days=1) if has_dates(datamap, catalog) else timedelta())


def of_files(
    session: Session,
    compiled: CompiledMap,
    policies: PolicySet,
    files: Sequence[PolicyFile],
    latest: datetime,
) -> tuple[ReportWarning, ...]:
    """The warnings of `told`, after a look for the tenants without an account."""
    ids = [file.policy.tenant_id for file in files]
    empty = accounts.without_accounts(session, compiled, ids)
    return told(session, compiled, policies, files, empty=empty, latest=latest)


def told(
    session: Session,
    compiled: CompiledMap,
    policies: PolicySet,
    files: Sequence[PolicyFile],
    *,
    empty: set[str],
    latest: datetime,
) -> tuple[ReportWarning, ...]:
    """What a sweep or a plan of these files says before it begins.

    Args:
        compiled: the data map.
        policies: all of them, right and wrong.
        files: those of the tenants that are swept.
        empty: tenants without an account.
        latest: what is later is in the future: see `latest_known`.
    """
    nobody = (
        ReportWarning(
            code=WarningCode.POLICY_MATCHES_NO_ACCOUNT,
            tenant=file.policy.tenant,
            message=f"{file.path}: {words}",
        )
        for file, words in unmatched(session, compiled, files, empty)
    )
    found = [*nobody, *_of_activity(session, compiled, files, latest)]
    if len(files) == len(policies.files):  # of the whole database, where all of it is swept
        found += of_policies(session, compiled, policies)
        found += of_tenants(session, compiled, policies)
    return tuple(found)


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


def of_policies(
    session: Session, compiled: CompiledMap, policies: PolicySet
) -> Iterator[ReportWarning]:
    """No file at all, or one that is gone though its tenant has accounts: nothing goes by it."""
    if not policies.files and not policies.broken:
        yield ReportWarning(
            code=WarningCode.NO_POLICY,
            tenant=_NO_TENANT,
            message="there is no policy file: nothing is erased by retention: write "
            "tenants/<tenant>.yaml, or mend RETENTION_CONFIG_DIR",
        )
    known = [file.policy.tenant_id for file in policies.files.values()]
    if known and compiled.datamap.accounts.tenant is None:
        return  # the one tenant, whatever its file is called
    gone = {
        tenant_id: name
        for tenant_id, name in log.applied(session).items()
        if tenant_id not in known
        and name not in policies.broken
        and _as_known(session, compiled, tenant_id, known) not in known
    }
    for tenant_id in _with_accounts(session, compiled, gone):
        yield ReportWarning(
            code=WarningCode.POLICY_GONE,
            tenant=gone[tenant_id],
            message=f"tenants/{gone[tenant_id]}.yaml is gone, and its tenant has accounts: nothing "
            "of them is erased by retention: bring it back (`all_credentials: never` says so)",
        )


def _as_known(session: Session, compiled: CompiledMap, tenant_id: str, known: Sequence[str]) -> str:
    """As a policy writes it where the column's type takes both for one, such as uuids."""
    if accounts.refused_tenants(session, compiled, [tenant_id]):
        return tenant_id
    return accounts.same_tenant(session, compiled, tenant_id, known)


def _with_accounts(session: Session, compiled: CompiledMap, tenant_ids: Iterable[str]) -> list[str]:
    wanted = sorted(tenant_ids)
    refused = set(accounts.refused_tenants(session, compiled, wanted))
    there = [each for each in wanted if each not in refused]
    empty = accounts.without_accounts(session, compiled, there) if there else set()
    return [each for each in there if each not in empty]


def of_tenants(
    session: Session, compiled: CompiledMap, policies: PolicySet
) -> Iterator[ReportWarning]:
    """Accounts that no policy can mean: of no tenant, or of one that is nearly a policy's."""
    if compiled.datamap.accounts.tenant is None:
        return
    name = f"{compiled.datamap.accounts.table}.{compiled.datamap.accounts.tenant}"
    there: list[str] = []
    if compiled.accounts.has_text_tenants:
        there = accounts.known_tenants(session, compiled, _TENANTS)
    if accounts.any_without_tenant(session, compiled) or any(not each.strip() for each in there):
        yield ReportWarning(
            code=WarningCode.NO_TENANT,
            tenant=_NO_TENANT,
            message=f"accounts have no tenant ({name} is NULL or blank), so that no policy is "
            "theirs and nothing of them is erased by retention: `verify` counts them",
        )
    ids = {file.policy.tenant_id: file for file in policies.files.values()}
    alike = {_folded(tenant_id): file for tenant_id, file in ids.items()}
    for tenant in there:
        file = alike.get(_folded(tenant))
        if tenant in ids or file is None or file.policy.tenant_id == tenant:
            continue
        if accounts.same_tenant(session, compiled, tenant, list(ids)) not in ids:
            yield ReportWarning(
                code=WarningCode.TENANT_NEARLY_THE_SAME,
                tenant=file.policy.tenant,
                message=f"accounts have the tenant {tenant!r}, which is not "
                f"{file.policy.tenant_id!r} of {file.path}: nothing of them is erased by "
                f"retention: correct {name}, or write a policy for it",
            )


def _folded(tenant: str) -> str:
    return "".join(tenant.split()).casefold()


def _of_activity(
    session: Session, compiled: CompiledMap, files: Sequence[PolicyFile], latest: datetime
) -> Iterator[ReportWarning]:
    """Tenants with activity in the future: until then nothing of those accounts is ever due."""
    by_id = {file.policy.tenant_id: file for file in files}
    names = [time.column for time in compiled.datamap.accounts.last_activity]
    for tenant_id in sorted(accounts.ahead(session, compiled, list(by_id), latest)):
        yield ReportWarning(
            code=WarningCode.ACTIVITY_IN_THE_FUTURE,
            tenant=by_id[tenant_id].policy.tenant,
            message=f"accounts of {by_id[tenant_id].policy.tenant} have an activity in the future "
            f"({', '.join(names)}), and are not due until its period is over: is the unit right; "
            "`verify` counts and names them",
        )


def made_in_the_future(
    session: Session, files: Sequence[PolicyFile], latest: datetime, seen: Iterable[str] = ()
) -> tuple[ReportWarning, ...]:
    """Tenants with accounts that something from the future keeps: they are deferred until then.

    `seen` are tenants that whoever asks has found by looking.
    """
    by_id = {file.policy.tenant_id: file for file in files}
    kept = {*deferred.kept_beyond(session, list(by_id), latest), *seen}
    return tuple(
        ReportWarning(
            code=WarningCode.CREDENTIAL_IN_THE_FUTURE,
            tenant=by_id[tenant_id].policy.tenant,
            message=f"accounts of {by_id[tenant_id].policy.tenant} are kept by an activity or a "
            "credential that says it is from the future: mend the times, or the unit in the data "
            "map",
        )
        for tenant_id in sorted(kept)
    )


def refused_words(compiled: CompiledMap) -> str:
    """What is wrong with a tenant_id that the tenant column's type refuses."""
    accounts_map = compiled.datamap.accounts
    return (
        f"is no value that {accounts_map.table}.{accounts_map.tenant} can have: write the tenant "
        "as that column has it"
    )


def left_out_words(parents: str) -> str:
    """What is said of credentials below rows that are none of the map's."""
    return (
        f"hang on rows of {parents} that the map's where leaves out, so that nothing ever erases "
        "them: widen that where, or give them an entry of another way"
    )
