"""The demo under way: the scene, the screen, the book, and sweeps that are watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from retention_worker.demo.book import Book
from retention_worker.demo.counts import holdings
from retention_worker.demo.pictures import Pictures
from retention_worker.demo.scene import DemoScene
from retention_worker.demo.screen import Screen
from retention_worker.domain.lane.lane import StopReason
from retention_worker.domain.lane.report import LanePlan, SweepReport
from retention_worker.domain.scope import Scope
from retention_worker.service.objects.drain import drain
from retention_worker.service.plan.approve import approve, waiting
from retention_worker.service.sweep.sweep import sweep

BIOMETRIC_ENTRIES = ("face vectors", "face templates", "authentication vectors")


@dataclass(kw_only=True)
class Play:
    """What the sections of the story share; `approvals` counts what a person let go."""

    scene: DemoScene
    screen: Screen
    book: Book
    approvals: int = 0

    @property
    def time(self) -> str:
        """The simulated time, for people."""
        return f"{self.scene.now:%a %d %b %Y %H:%M} UTC"

    def __post_init__(self) -> None:
        self.pictures = Pictures(self.scene)

    def sweep(self) -> SweepReport:
        """Have the worker sweep and drain once; afterwards the book compares what is gone."""
        self.pictures.store_new()
        report = sweep(self.scene.context)
        drain(self.scene.context)
        self.book.see(holdings(self.scene), self.scene.now)
        return report

    def approve(self, tenant: str, scope: Scope | None, reason: str) -> Sequence[LanePlan]:
        """Look at a tenant's waiting lanes and let them go; the lanes as they were shown."""
        shown = waiting(self.scene.context, tenant, scope).lanes
        if shown:
            approve(
                self.scene.context,
                shown,
                reason=reason,
                actor="dana@operator",
                lasts=timedelta(days=7),
            )
            self.approvals += len(shown)
        return shown

    def approve_what_waits(self, report: SweepReport) -> bool:
        """Do for every lane what a person would who looked at it; whether any waited."""
        tenants = [lane.tenant for lane in report.lanes if lane.stop_reason is StopReason.WAITING]
        for tenant in dict.fromkeys(tenants):
            self.approve(tenant, None, "looked at the plan: as expected")
        return bool(tenants)

    def tidy(self, text: str | None) -> str:
        """The worker's words, with the folder of the files as an operator would have it."""
        return (text or "").replace(str(self.scene.config), "config")


def rows_of(lane: LanePlan, *, biometric: bool) -> int:
    """The rows of a planned lane, biometric or other."""
    return sum(
        number for entry, number in lane.rows.items() if (entry in BIOMETRIC_ENTRIES) == biometric
    )
