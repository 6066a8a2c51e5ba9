"""Applies a policy: notes a change in the log, and refuses a file that is older than another's."""

from __future__ import annotations

from datetime import datetime

import structlog

from retention_worker.configfiles.policy_file import PolicyFile
from retention_worker.domain.policy.policy import Policy
from retention_worker.domain.scope import Scope
from retention_worker.service.context import Context
from retention_worker.store.connection.session import Session
from retention_worker.store.own import lanes, policies

_log = structlog.get_logger()


def apply_policy(
    context: Context, session: Session, file: PolicyFile, digest: str | None, now: datetime
) -> bool:
    """Make the file's policy the one that is applied from now on.

    Args:
        context: knows what this process applied last; the caller notes it once it is committed.
        session: a transaction that may write.
        file: the policy.
        digest: of the policy that was applied last, by whichever replica.
        now: the sweep's start.

    Returns:
        False where the file has not changed since this process applied it, and another replica
        applied another one since: then this replica's file is stale, and must not win.
    """
    policy = file.policy
    mine = policy.digest
    if mine != digest:
        if context.applied.get(policy.tenant_id) == mine:
            return False
        _clamp(context, session, policy, now)
        policies.log(session, policy, file.text, context.settings.config_revision, now)
        lanes.set_policy_digest(session, policy.tenant_id, mine)
        _log.info("policy_applied", tenant=policy.tenant, digest=mine)
    return True


def _clamp(context: Context, session: Session, policy: Policy, now: datetime) -> None:
    """A policy that makes accounts due sooner than the last one waits already above the minimum."""
    for scope in due_sooner(session, policy):
        least = context.settings.guard_min_accounts
        lanes.clamp_allowance(session, policy.tenant_id, scope, least, now)


def due_sooner(session: Session, policy: Policy) -> list[Scope]:
    """The scopes in which the policy makes accounts due sooner than the one applied last."""
    before = policies.latest(session, policy.tenant_id)
    if before is None:
        return []
    return [
        scope
        for scope in Scope
        if (new := policy.period(scope)) is not None
        and ((old := before.get(scope)) is None or not new.never_shorter_than(old))
    ]
