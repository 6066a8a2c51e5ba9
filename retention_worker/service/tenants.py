"""Which tenant a person or a program meant: by a file's name, or the tenant column's value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from retention_worker.configfiles.policies import PolicySet
from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.errors import ConfigurationError, UnknownSubject
from retention_worker.domain.tenant import TenantId
from retention_worker.service.config import load
from retention_worker.service.context import Context
from retention_worker.service.remembered import Loaded
from retention_worker.store.connection.pool import Connection
from retention_worker.store.connection.session import Session
from retention_worker.store.explain.explain import known_as
from retention_worker.store.mapped import accounts
from retention_worker.store.mapsql import CompiledMap


def tenant_id_of(policies: PolicySet, tenant: str | None, single: bool) -> str:
    """The tenant column's value for a name that a person gave.

    The name of a policy file stands for its tenant_id; any other text is taken as the value, and
    a `TenantId` always.

    Raises:
        ConfigurationError: no tenant was named where the map has a tenant column.
    """
    if isinstance(tenant, TenantId):
        return str(tenant)
    if tenant is not None:
        file = policies.files.get(tenant)
        return file.policy.tenant_id if file else tenant
    if not single:
        raise ConfigurationError("name the tenant: --tenant T")
    if len(policies.files) != 1:
        raise ConfigurationError("a database without a tenant column has exactly one policy file")
    return next(iter(policies.files.values())).policy.tenant_id


def tenant_of(context: Context, conn: Connection, tenant: str | None) -> tuple[CompiledMap, str]:
    """The compiled map, and the tenant column's value for a name that was given.

    Raises:
        ConfigurationError: no tenant was named where one is needed, or a file is wrong.
    """
    loaded = load(context, conn)
    compiled, policies = loaded.compiled, loaded.policies
    tenant_id = tenant_id_of(policies, tenant, single=loaded.single)
    written = loaded.written.get(tenant_id)
    if written is None:
        written = as_policies_write(context, conn, compiled, policies, tenant_id)
        loaded.written[tenant_id] = written
    return compiled, written


def require_tenant(
    session: Session, compiled: CompiledMap, policies: PolicySet, tenant_id: str
) -> None:
    """Nothing found of a tenant that does not exist is no answer.

    Raises:
        UnknownSubject: it has neither a policy file nor an account.
    """
    if tenant_id in {file.policy.tenant_id for file in policies.files.values()}:
        return
    refused = accounts.refused_tenants(session, compiled, [tenant_id])
    if refused or accounts.without_accounts(session, compiled, [tenant_id]):
        raise UnknownSubject(f"there is no tenant {tenant_id!r}: no policy file, and no account")


def as_policies_write(
    context: Context, conn: Connection, compiled: CompiledMap, policies: PolicySet, tenant_id: str
) -> str:
    """The tenant's value as holds and the ledger keep it, however a person wrote it."""
    known = [file.policy.tenant_id for file in policies.files.values()]
    with context.reading(conn) as session:
        return accounts.same_tenant(session, compiled, tenant_id, known)


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """`file` None: there is none, or it is wrong, as `problems` say."""

    name: str
    tenant_id: str
    file: PolicyFile | None = None
    problems: tuple[str, ...] = ()


def find_tenant(
    session: Session, policies: PolicySet, given: str | None, *, single: bool
) -> Tenant:
    """The tenant that a person named, by its file's name or the tenant column's value.

    Raises:
        ConfigurationError: none was named where the map has a tenant column.
    """
    name = given or (_only(policies) if single else None)
    if name is None:
        raise ConfigurationError("name the tenant: --tenant T")
    by_id = {file.policy.tenant_id: file for file in policies.files.values()}
    is_value = isinstance(name, TenantId)
    file = (None if is_value else policies.files.get(name)) or by_id.get(name)
    if file is not None:
        return Tenant(name=file.policy.tenant, tenant_id=file.policy.tenant_id, file=file)
    # A file that is wrong does not say its tenant_id; the log of policies remembers it.
    tenant_id, known_name = known_as(session, name, only_value=is_value) or (name, name)
    names = (known_name,) if is_value else (name, known_name)
    broken = next((each for each in names if each in policies.broken), None)
    if broken is None:
        return Tenant(name=str(name), tenant_id=str(name))
    found = [str(p) for p in policies.problems if Path(p.path).stem == broken]
    return Tenant(name=broken, tenant_id=tenant_id, problems=tuple(found))


@contextmanager
def looking(context: Context, tenant: str | None) -> Iterator[tuple[Session, Loaded, Tenant]]:
    """A READ ONLY transaction to look at what a tenant has, which a person named.

    Raises:
        ConfigurationError: none was named where one is needed, or a file is wrong.
    """
    with context.pool.connection() as conn:
        loaded = load(context, conn)
        with context.reading(conn) as session:
            who = find_tenant(session, loaded.policies, tenant, single=loaded.single)
            yield session, loaded, who


def _only(policies: PolicySet) -> str:
    names = [*policies.files, *policies.broken]
    if len(names) != 1:
        raise ConfigurationError("a database without a tenant column has exactly one policy file")
    return names[0]
