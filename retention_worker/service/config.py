"""What services start from: files read, map compiled; for what erases, nothing unsafe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retention_worker.configfiles.datamap import DataMapFile, load_datamap
from retention_worker.configfiles.policies import PolicySet, load_policies
from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.errors import (
    ConfigurationError,
    DriftError,
    FileProblem,
    UnknownSubject,
)
from retention_worker.domain.scope import Scope
from retention_worker.service.checks import inspect
from retention_worker.service.checks.warnings import refused_words
from retention_worker.service.context import Context
from retention_worker.service.remembered import Loaded, read
from retention_worker.store.connection.pool import Connection, refuse_standby
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap
from retention_worker.store.migrations import check


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The files and the map of one sweep."""

    datamap: DataMapFile
    policies: PolicySet
    compiled: CompiledMap

    def map_digest(self, scope: Scope) -> str:
        """The digest of what the scope erases."""
        return self.datamap.datamap.digest(scope)

    def broken(self) -> dict[str, list[str]]:
        """What is wrong with files, by the tenant (or the file) that it stops."""
        found: dict[str, list[str]] = {}
        for problem in self.policies.problems:
            name = Path(problem.path).name
            tenant = next((t for t in self.policies.broken if name.startswith(f"{t}.")), name)
            found.setdefault(tenant, []).append(str(problem))
        return found

    def by_tenant_id(self) -> dict[str, PolicyFile]:
        """The valid files by the value in the database's tenant column."""
        return {file.policy.tenant_id: file for file in self.policies.files.values()}


def prepare(context: Context, conn: Connection, only: Sequence[str] = ()) -> Prepared:
    """Read the files and compile the map against the database as it is now.

    Raises:
        ConfigurationError: the data map is wrong, does not fit or is unsafe; `only` names a tenant
            without a file; the worker's own schema is not there.
        GuardRefused: the database is a standby.
    """
    settings = context.settings
    datamap = load_datamap(settings.config_dir)
    policies = load_policies(settings.config_dir, settings.bounds)
    _require_known(only, policies)
    refuse_standby(conn)
    check(conn, settings.schema_name)
    compiled = _compiled(context, conn, datamap, policies)
    session = Session(conn, settings.schema_name)
    policies = _apart(session, compiled, _fitting(session, compiled, policies))
    return Prepared(datamap=datamap, policies=policies, compiled=compiled)


def _fitting(session: Session, compiled: CompiledMap, policies: PolicySet) -> PolicySet:
    """A file whose tenant_id the column's type refuses is wrong, and stops nobody else."""
    files = {file.policy.tenant_id: name for name, file in policies.files.items()}
    refused = [files[each] for each in accounts.refused_tenants(session, compiled, list(files))]
    return _without(policies, dict.fromkeys(refused, refused_words(compiled)))


def _without(policies: PolicySet, wrong: Mapping[str, str]) -> PolicySet:
    """The policies without some files, by name, and what is wrong with their tenant_id."""
    if not wrong:
        return policies
    problems = [
        FileProblem(str(policies.files[name].path), 1, 1, "tenant_id", message)
        for name, message in wrong.items()
    ]
    return replace(
        policies,
        files={name: file for name, file in policies.files.items() if name not in wrong},
        problems=(*policies.problems, *problems),
        broken=policies.broken | wrong.keys(),
    )


def _apart(session: Session, compiled: CompiledMap, policies: PolicySet) -> PolicySet:
    """Two files for one tenant, written differently (`1` and `01`), are both wrong."""
    files = {file.policy.tenant_id: name for name, file in policies.files.items()}
    twice = {
        files[each]: ", ".join(files[other] for other in group if other != each)
        for group in accounts.one_tenant(session, compiled, list(files))
        for each in group
    }
    return _without(
        policies,
        {
            name: f"is to the database the same tenant as that of {others}: keep one file"
            for name, others in twice.items()
        },
    )


def _require_known(only: Sequence[str], policies: PolicySet) -> None:
    for tenant in only:
        if tenant not in policies.files and tenant not in policies.broken:
            raise UnknownSubject(
                f"tenant {tenant!r} has no policy file: write tenants/{tenant}.yaml"
            )


def _compiled(
    context: Context, conn: Connection, datamap: DataMapFile, policies: PolicySet
) -> CompiledMap:
    """The map on the database as it is now, unless something about it is unsafe."""
    single = datamap.datamap.accounts.tenant is None
    if single and len(policies.files) + len(policies.broken) > 1:
        raise ConfigurationError(
            f"{datamap.path}: accounts.tenant is left out, so exactly one policy file may exist: "
            "name the tenant column, or keep one file"
        )
    found = inspect(Session(conn, context.settings.schema_name), datamap.datamap, context.settings)
    if found.refusals or found.compiled is None:
        lines = "\n".join(f"{each.subject}: {each.message}" for each in found.refusals)
        raise DriftError(f"the data map is not safe on this database: run doctor\n{lines}")
    return found.compiled


def load(context: Context, conn: Connection) -> Loaded:
    """The files and the compiled map.

    Raises:
        ConfigurationError: a file, the schema or what the map says of the catalog is wrong.
    """
    if context.memory is not None:
        return context.memory.loaded(conn)
    return read(context.settings, conn)
