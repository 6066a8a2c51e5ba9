"""Approving a waiting lane in the portal: as it was shown, and by a second person."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from retention_worker.domain.errors import NeedsPerson
from retention_worker.domain.lane.report import LanePlan
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.service.plan.approve import ChangedSince, NotedApproval, approve, waiting
from retention_worker.service.policy.policies import applied_of

_LASTS = timedelta(days=7)
_PROVIDER = re.compile(r"^oidc:")


@dataclass(frozen=True, kw_only=True)
class ShownLane:
    """A waiting lane as a person saw it before they approved.

    `accounts`: the digest of those that were due; empty where a program asks that was shown none.
    """

    scope: Scope
    digest: str
    cutoff: datetime
    due: int
    place: str
    accounts: str


class SamePerson(NeedsPerson):
    """Who caused that the lane waits may not let it go."""


def lanes_waiting(context: Context, tenant: str) -> list[LanePlan]:
    """The lanes of a tenant (by its file's name) that wait now, with what is due in them."""
    return [lane for lane in waiting(context, tenant, None).lanes if lane.due and lane.scope]


def causer(context: Context, tenant_id: str, digest: str | None, name: str) -> str | None:
    """Why this person may not approve under a policy; None where they may.

    Known is the author of a revision whose text (RETENTION_CONFIG_REVISION, kept with each policy
    that is applied) has the person's name as a word: `4f2a91c sam`, `Author: sam@example.com`.
    """
    log = applied_of(context, [tenant_id])[tenant_id]
    revisions = [each.revision for each in log if each.digest == digest]
    # A sweep that refused to apply anything has logged nothing: then it is this process's.
    if not revisions or log[0].digest != digest:
        revisions.append(context.settings.config_revision)
    for revision in revisions:
        if revision and _names(revision, _PROVIDER.sub("", name)):
            return f"the policy's revision names you: {revision}"
    return None


def _names(revision: str, name: str) -> bool:
    """Whether the name stands in it, and not as a part of another one."""
    found = rf"(?<![\w.@-]){re.escape(name.casefold())}(?![\w@-]|\.\w)"
    return re.search(found, revision.casefold()) is not None


def approve_shown(
    context: Context, tenant: str, tenant_id: str, shown: ShownLane, *, reason: str, actor: str
) -> NotedApproval:
    """Let a lane go for the accounts that were shown, and no others.

    Args:
        tenant: the name of its policy file.
        tenant_id: its value in the tenant column.
        shown: the lane as the person saw it; a later cutoff than now's counts as now's.
        reason: why, for the record.
        actor: who.

    Raises:
        SamePerson: they caused that it waits.
        ChangedSince: it waits no more, or by another policy.
    """
    lane = next(
        (each for each in lanes_waiting(context, tenant) if each.scope is shown.scope), None
    )
    if lane is None or lane.cutoff is None or lane.shown is None:
        raise ChangedSince("the lane waits no more: look again")
    same = shown.accounts in {"", lane.shown.digest}
    if lane.policy_digest != shown.digest or shown.due < 1 or not same:
        raise ChangedSince("the lane is not as it was shown: look again")
    if why := causer(context, tenant_id, shown.digest, actor):
        raise SamePerson(f"{why}: a second person has to approve")
    narrowed = replace(
        lane,
        cutoff=min(shown.cutoff, lane.cutoff),
        due=min(shown.due, lane.due),
        place=shown.place,
    )
    return approve(context, [narrowed], reason=reason, actor=actor, lasts=_LASTS)[0]
