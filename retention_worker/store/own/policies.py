"""The log of the policies that were applied."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from retention_worker.domain.policy.period import Period
from retention_worker.domain.policy.policy import Policy
from retention_worker.domain.scope import Scope
from retention_worker.store.connection.session import Session


def log(
    session: Session, policy: Policy, content: str, revision: str | None, now: datetime
) -> None:
    """Note that a policy is applied from now on."""
    effective = {
        "all_credentials": policy.all_credentials.iso if policy.all_credentials else None,
        "biometrics": policy.biometrics.iso if policy.biometrics else None,
        "paused": policy.paused,
    }
    session.run(
        "policies.log",
        {
            "tenant_id": policy.tenant_id,
            "tenant": policy.tenant,
            "digest": policy.digest,
            "content": content,
            "effective": json.dumps(effective),
            "revision": revision,
            "now": now,
        },
    )


def latest(session: Session, tenant_id: str) -> dict[Scope, Period | None] | None:
    """The periods of the policy that was applied last; None where there was none yet."""
    row = session.row("policies.latest", {"tenant": tenant_id})
    if row is None:
        return None
    texts = {
        Scope.ALL: row["effective"]["all_credentials"],
        Scope.BIOMETRICS: row["effective"]["biometrics"],
    }
    return {scope: Period.parse(text) if text else None for scope, text in texts.items()}


def applied(session: Session) -> dict[str, str]:
    """The name of the newest policy's file, by tenant_id: whoever had one ever."""
    return {row["tenant_id"]: row["tenant"] for row in session.rows("policies.applied")}


def history(session: Session, tenant_id: str) -> list[dict[str, Any]]:
    """Every policy that was applied for the tenant, newest first."""
    return session.rows("policies.history", {"tenant": tenant_id})
