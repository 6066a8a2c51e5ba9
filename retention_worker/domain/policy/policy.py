"""A tenant's policy: which period erases what, and the operator's bounds on it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.policy.period import Period
from retention_worker.domain.scope import Scope

ALL_CREDENTIALS = "retention.all_credentials"
BIOMETRICS = "retention.biometrics"
# Below a day a period would erase while the person is still busy with the verification.
DEFAULT_MIN_PERIOD = Period(days=1)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What one tenant's file says; a period that is None is never erased by retention.

    `tenant` is the file's name, `tenant_id` the value in the database's tenant column.
    """

    tenant: str
    tenant_id: str
    all_credentials: Period | None = None
    biometrics: Period | None = None
    paused: bool = False
    notes: str | None = None

    def __post_init__(self) -> None:
        if not self.tenant or not self.tenant_id:
            raise ValueError("tenant and tenant_id: write a name")

    def period(self, scope: Scope) -> Period | None:
        """The period after which retention erases that scope; None: never."""
        return self.all_credentials if scope is Scope.ALL else self.biometrics

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of everything that decides what is erased: all but the notes."""
        content = {
            "tenant": self.tenant,
            "tenant_id": self.tenant_id,
            "all_credentials": self.all_credentials and self.all_credentials.iso,
            "biometrics": self.biometrics and self.biometrics.iso,
            "paused": self.paused,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class PolicyProblem:
    """A rule that a policy breaks: the key in its file, and what to write there."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class PolicyBounds:
    """What the operator allows every tenant; a maximum of None is no maximum.

    Held against every file, and again where a policy becomes SQL parameters.
    """

    min_period: Period = DEFAULT_MIN_PERIOD
    max_biometrics: Period | None = None
    max_all_credentials: Period | None = None

    def check(self, policy: Policy) -> tuple[PolicyProblem, ...]:
        """Every rule that the policy breaks, in the file's order; empty: none."""
        return (
            *self._within(ALL_CREDENTIALS, policy.all_credentials, self.max_all_credentials),
            *self._within(BIOMETRICS, policy.biometrics, self.max_biometrics),
            *_shorter(policy),
        )

    def require(self, policy: Policy) -> None:
        """Let a policy pass that breaks no rule.

        Raises:
            ConfigurationError: one line with every rule that it breaks.
        """
        if problems := self.check(policy):
            text = "; ".join(str(problem) for problem in problems)
            raise ConfigurationError(f"policy of {policy.tenant}: {text}")

    def _within(
        self, key: str, period: Period | None, maximum: Period | None
    ) -> tuple[PolicyProblem, ...]:
        # A maximum binds the period that is written: who writes `never` erases nothing early, and
        # the tenants without a period are listed by `policy schedule`.
        if period is None:
            return ()
        if not period.never_shorter_than(self.min_period):
            message = f"{period} is less than the operator's minimum: write {self.min_period}"
            return (PolicyProblem(key=key, message=f"{message} or longer"),)
        if maximum and not maximum.never_shorter_than(period):
            message = f"{period} is more than the operator's maximum: write {maximum} or shorter"
            return (PolicyProblem(key=key, message=message),)
        return ()


def _shorter(policy: Policy) -> tuple[PolicyProblem, ...]:
    """Biometrics go before the rest: their longest period is shorter than the shortest of all."""
    everything, biometrics = policy.all_credentials, policy.biometrics
    if not everything or not biometrics:
        return ()
    if biometrics.longest_days < everything.shortest_days:
        return ()
    message = (
        f"{biometrics} can last {biometrics.longest_days} days and all_credentials"
        f" {everything.shortest_days}: write a shorter period than all_credentials, or never"
    )
    return (PolicyProblem(key=BIOMETRICS, message=message),)
