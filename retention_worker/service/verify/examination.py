"""Runs the checks, each in a READ ONLY transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from retention_worker.domain.errors import BatchTimeout
from retention_worker.domain.ledger.verification import LaneLeft, Observation, Verification
from retention_worker.domain.scope import Scope
from retention_worker.service import ledger
from retention_worker.service.context import Context
from retention_worker.service.verify import erased, objects, overdue, rows
from retention_worker.service.verify.moment import Moment, read_scene
from retention_worker.store.connection.session import Session
from retention_worker.store.verify import own_tables

Progress = Callable[[str, int, int], None]
"""Told before each check: what it looks at, how many are done, how many there are."""

Look = Callable[[Session, Moment], Iterable[Observation]]


@dataclass(frozen=True)
class _Step:
    name: str
    look: Look


def verify(
    context: Context,
    *,
    tenant: str | None = None,
    sample: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Prove from the rows themselves that what was due is gone, and that nothing else is.

    No statement is shared with the sweep, and neither its watermarks nor its cutoffs are asked.
    What only the whole database can tell (rows of nobody, orphans) is left out for one tenant.

    Args:
        tenant: the name of a policy file, or a tenant_id; None: all.
        sample: so many objects that are noted as gone are asked for in their stores.
        progress: told before each check.

    Raises:
        ConfigurationError: the data map is wrong or does not fit; nobody knows the tenant.
        DatabaseUnavailable: no connection.
    """
    return _Examination(context, tenant, sample, progress).run()


class _Examination:
    def __init__(
        self, context: Context, tenant: str | None, sample: int, progress: Progress | None
    ) -> None:
        self._context = context
        self._sample = sample
        self._tenant = tenant
        self._progress = progress
        self._lanes: list[LaneLeft] = []
        self._population = rows.Population()
        self._early = erased.Early()
        with context.reading() as session:
            self._scene = read_scene(context, session, tenant)

    def run(self) -> Verification:
        """Every check in its turn; one that takes too long does not stop the others."""
        steps = list(self._steps())
        found: list[Observation] = []
        for number, step in enumerate(steps):
            self._tell(step.name, number, len(steps))
            found += self._look(step)
        if self._sample:
            self._tell("objects that are gone", len(steps), len(steps))
            found += objects.still_there(self._scene, self._sample)
        self._tell("chains of the ledger", len(steps), len(steps))
        found += _chains(self._context, self._tenant)
        return Verification(
            at=self._scene.now,
            tenants=self._population.tenants,
            accounts=self._population.accounts,
            erasures=self._early.erasures,
            lanes=tuple(self._lanes),
            observations=tuple(sorted(found, key=lambda each: not each.wrong)),
        )

    def _tell(self, name: str, done: int, steps: int) -> None:
        if self._progress is not None:
            self._progress(name, done, steps + 1)

    def _look(self, step: _Step) -> list[Observation]:
        try:
            with self._context.reading() as session:
                own_tables.unhurried(session)
                return list(step.look(session, self._scene))
        except BatchTimeout:
            return [
                Observation(
                    check="unfinished",
                    message=f"{step.name}: took too long and was not verified: verify one tenant "
                    "at a time, with --tenant",
                )
            ]

    def _steps(self) -> Iterator[_Step]:
        scene = self._scene
        yield _Step("tenants and accounts", self._population.look)
        for scope in Scope:
            yield _Step(f"overdue: {scope}", partial(self._overdue, scope=scope))
        for entry in scene.datamap.credentials:
            yield _Step(f"erased and back: {entry.name}", partial(erased.back, entry=entry))
        for entry in scene.datamap.credentials:
            look = partial(rows.made_in_the_future, entry=entry)
            yield _Step(f"made in the future: {entry.name}", look)
        yield _Step("erased too early", self._early.look)
        yield _Step("erased while on hold", erased.held)
        yield _Step("holds without their account", erased.holds_astray)
        yield _Step("erased for another tenant", erased.strangers)
        yield _Step("objects", objects.left)
        yield _Step("objects astray", objects.astray)
        for entry in scene.datamap.credentials:
            if entry.objects:
                look = partial(objects.keeping, entry=entry)
                yield _Step(f"objects that stay: {entry.name}", look)
        yield _Step("requests", overdue.requests)
        if scene.only is None:
            for name in dict.fromkeys(entry.table for entry in scene.datamap.credentials):
                yield _Step(f"rows of nobody: {name}", partial(rows.unclaimed, name=name))
                yield _Step(f"orphans: {name}", partial(rows.orphans, name=name))
            for entry in scene.datamap.credentials:
                look = partial(rows.unreachable, entry=entry)
                yield _Step(f"other tenants: {entry.name}", look)

    def _overdue(self, session: Session, scene: Moment, *, scope: Scope) -> list[Observation]:
        lanes = overdue.lanes_left(session, scene, scope)
        self._lanes += lanes
        return overdue.overdue(lanes, scene.context.settings.overdue_after)


def _chains(context: Context, tenant: str | None) -> Iterator[Observation]:
    """Every row of the ledger that is not as it was written."""
    found = ledger.verify(context, tenant=tenant)
    for finding in found.findings:
        yield Observation(check="chain", message=f"ledger: {finding}")
    if found.more:
        yield Observation(
            check="chain", message="ledger: and more: run ledger verify for all of it"
        )
