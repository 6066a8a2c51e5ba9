"""The command `doctor`: the examination with its files, and the SQL that mends what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.configfiles.policies import load_policies
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.objects.object_store import StoreInspection
from retention_worker.service.checks import Finding, Severity, examine
from retention_worker.service.checks.finding import wrong
from retention_worker.service.context import Context
from retention_worker.service.doctor import mending_sql, trial
from retention_worker.service.doctor.stores import inspect, warnings_of
from retention_worker.service.guard import holds
from retention_worker.store import examine as facts_of
from retention_worker.store.catalog import Catalog
from retention_worker.store.connection.session import Session
from retention_worker.store.mapped.trial import Tried
from retention_worker.store.mapsql.compiled import compile_on
from retention_worker.store.own.objects import stores_named


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found, refusals first; `sql` is a script: what mends it, then the role's grants.

    `stores` are those that hold objects, as they were seen. `trials`: what came of trying to erase;
    None: it was not tried.
    """

    findings: tuple[Finding, ...]
    sql: str
    stores: tuple[StoreInspection, ...]
    trials: tuple[Tried, ...] | None = None

    @property
    def refused(self) -> int:
        """How many findings stop every lane."""
        return sum(1 for each in self.findings if each.severity is Severity.REFUSE)

    @property
    def wrong(self) -> int:
        """How many findings somebody must mend, though lanes go on."""
        return sum(1 for each in self.findings if each.severity is Severity.WRONG)


def diagnose(context: Context, *, role: str | None = None, tries: bool = False) -> Diagnosis:
    """Examine the data map against the database as it is now; nothing is written.

    Args:
        role: whose grants to print; None: of the role that is connected.
        tries: run the statements that erase on a few accounts, and take it back.

    Raises:
        FileProblemsError: the data map is wrong, or the folder of policies cannot be read.
    """
    settings = context.settings
    datamap = load_datamap(settings.config_dir).datamap
    policies = load_policies(settings.config_dir, settings.bounds)
    with context.pool.connection() as conn, context.reading(conn) as session:
        count = len(policies.files) + len(policies.broken)
        findings = examine(
            session, datamap, settings, policies=count, files=policies, now=context.clock()
        )
        facts = facts_of.read(session, datamap)
        script = mending_sql(findings, datamap, facts.catalog, settings, role or facts.server.role)
        if not _refused(findings):
            findings = (*_holds_astray(context, session, datamap, facts.catalog), *findings)
        names = []
        if settings.object_drain and not _refused(findings):
            names = stores_named(session, datamap, facts.catalog)
    stores = inspect(names, settings)
    trials = trial.try_entries(context, datamap) if tries and not _refused(findings) else None
    told = trial.findings(trials) if trials is not None else ()
    return Diagnosis(
        findings=(*told, *findings, *warnings_of(stores)),
        sql=script,
        stores=tuple(stores),
        trials=tuple(trials) if trials is not None else None,
    )


def _holds_astray(
    context: Context, session: Session, datamap: DataMap, catalog: Catalog
) -> list[Finding]:
    """Holds that lost their account, or a part of what they held."""
    compiled = compile_on(catalog, datamap, session.schema_name)
    found = holds.astray(session, compiled, context.clock())
    return [wrong("hold-astray", datamap.accounts.table, holds.in_words(each)) for each in found]


def _refused(findings: Sequence[Finding]) -> bool:
    """Then the map's columns may not even be there to be read."""
    return any(each.severity is Severity.REFUSE for each in findings)
