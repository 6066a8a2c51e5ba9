"""The log of the policies that were applied."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from retention_worker.domain.policy import Policy
from retention_worker.store.session import Session

__all__ = ["history", "log"]


def log(
    session: Session, policy: Policy, content: str, revision: str | None, now: datetime
) -> None:
    """Note that a policy is applied from now on."""
    effective = {
        "all_credentials": str(policy.all_credentials) if policy.all_credentials else None,
        "biometrics": str(policy.biometrics) if policy.biometrics else None,
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


def history(session: Session, tenant_id: str) -> list[dict[str, Any]]:
    """Every policy that was applied for the tenant, newest first."""
    return session.rows("policies.history", {"tenant": tenant_id})
