"""What every check of `verify` starts from: the files, the map's statements, the tenants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.configfiles.policies import PolicySet, load_policies
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.errors import UnknownSubject
from retention_worker.domain.policy.policy import Policy
from retention_worker.service.context import Context
from retention_worker.store import catalog
from retention_worker.store.catalog import Catalog
from retention_worker.store.connection.session import Session
from retention_worker.store.migrations import check
from retention_worker.store.verify import Looks, own_tables, values_of


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A moment to verify.

    `values` are the tenants to look at: tenant_id -> the tenant column's own text. `only` is the
    one tenant_id that was asked for, None: all.
    """

    context: Context
    now: datetime
    datamap: DataMap
    catalog: Catalog
    looks: Looks
    policies: PolicySet
    values: Mapping[str, str]
    names: Mapping[str, str]
    only: str | None

    def name(self, tenant_id: str) -> str:
        """What people call the tenant."""
        return self.names.get(tenant_id, tenant_id)

    def in_force(self) -> dict[str, Policy]:
        """The policies of the files that are right, by tenant_id."""
        found = (file.policy for file in self.policies.files.values())
        return {each.tenant_id: each for each in found if self.only in (None, each.tenant_id)}

    def tenants(self) -> dict[str, Any]:
        """The parameters of most statements on the data map's tables."""
        return {"tenants": list(self.values), "values": list(self.values.values())}


def read_scene(context: Context, session: Session, tenant: str | None) -> Moment:
    """Read the files, the catalog and the tenants.

    Raises:
        FileProblemsError: the data map is wrong, or the folder of policies cannot be read.
        DriftError: the data map does not fit.
        SchemaError: the worker's own schema is missing, older or newer.
        UnknownSubject: nobody knows the tenant.
    """
    settings = context.settings
    check(session.conn, settings.schema_name)
    datamap = load_datamap(settings.config_dir).datamap
    policies = load_policies(settings.config_dir, settings.bounds)
    found = catalog.read(session.conn, catalog.mapped_tables(datamap))
    looks = Looks(datamap, found, settings.schema_name)
    names = {file.policy.tenant_id: name for name, file in policies.files.items()}
    known = own_tables.tenants(session) | names.keys()
    only = _only(tenant, policies, known)
    wanted = known if only is None else {only}
    return Moment(
        context=context,
        now=context.clock(),
        datamap=datamap,
        catalog=found,
        looks=looks,
        policies=policies,
        values=values_of(session, looks, wanted),
        names=names,
        only=only,
    )


def _only(tenant: str | None, policies: PolicySet, known: set[str]) -> str | None:
    """The name of a policy file stands for its tenant_id; any other text is the value itself."""
    if tenant is None:
        return None
    file = policies.files.get(tenant)
    tenant_id = file.policy.tenant_id if file else tenant
    if tenant_id not in known:
        raise UnknownSubject(f"tenant {tenant!r} has no policy file and nothing was erased for it")
    return tenant_id
