"""What the server's signs say about going on: a pure rule."""

from __future__ import annotations

from dataclasses import dataclass

# From a tenth of what stops the worker on, it goes slower: it is rarely the only cause, and then
# a little less of it is enough.
_SLOW_FROM = 0.1
# How many times as long the pauses become; two causes at once do not multiply.
_SLOW, _SLOWER = 2.0, 4.0


@dataclass(frozen=True, kw_only=True)
class Standby:
    """A standby as its sender sees it; `known` is False where the role may not see more."""

    name: str | None
    known: bool
    replayed: int | None
    lag_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Signals:
    """How the server is doing: positions in bytes of WAL, shares in percent, None: unknown."""

    written: int
    standbys: tuple[Standby, ...]
    archiving_fails: bool
    connection_percent: float | None
    dead_percent: float
    vacuuming: bool
    oldest_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the operator allows; 0 or None: not looked at."""

    replication_lag_seconds: float
    standbys: frozenset[str]
    archiving: bool
    connection_percent: float
    dead_percent: float
    oldest_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Pressure:
    """Whether to go on: `slow` times the usual pause, or not at all, and for which reason."""

    slow: float = 1.0
    stop: bool = False
    reason: str | None = None

    def __str__(self) -> str:
        if self.reason is None:
            return "at full pace"
        return f"{'stopped' if self.stop else 'slowed'}: {self.reason}"


def judge(signals: Signals, limits: Limits, lag_seconds: float | None) -> Pressure:
    """The worst that the signs say; `lag_seconds` is the slowest standby's lag, None: unknown."""
    found = [
        *_replication(signals, limits, lag_seconds),
        *_archiving(signals, limits),
        *_load(signals, limits),
        *_vacuum(signals, limits),
        *_oldest(signals, limits),
    ]
    return max(found, key=lambda each: (each.stop, each.slow), default=Pressure())


def _stop(reason: str) -> Pressure:
    return Pressure(stop=True, reason=reason)


def _replication(signals: Signals, limits: Limits, lag: float | None) -> list[Pressure]:
    found = []
    there = {each.name for each in signals.standbys}
    missing = sorted(limits.standbys - {name for name in there if name is not None})
    if missing:
        found.append(_stop(f"standby {', '.join(missing)} is not connected"))
    if not limits.replication_lag_seconds or not signals.standbys:
        return found
    if lag is None:
        found.append(
            _stop(
                "replication lag is unknown: grant pg_read_all_stats to the worker's role, "
                "or set RETENTION_MAX_REPLICATION_LAG_SECONDS=0"
            )
        )
    elif lag > limits.replication_lag_seconds:
        found.append(_stop(f"replication lag {lag:.1f} s"))
    elif lag > _SLOW_FROM * limits.replication_lag_seconds:
        found.append(Pressure(slow=_SLOWER, reason=f"replication lag {lag:.1f} s"))
    return found


def _archiving(signals: Signals, limits: Limits) -> list[Pressure]:
    if limits.archiving and signals.archiving_fails:
        return [_stop("WAL archiving fails")]
    return []


def _load(signals: Signals, limits: Limits) -> list[Pressure]:
    used = signals.connection_percent
    if not limits.connection_percent:
        return []
    if used is None:
        return [_stop("the number of connections is unknown")]
    if used > limits.connection_percent:
        return [_stop(f"{used:.0f} % of the connections are in use")]
    return []


def _vacuum(signals: Signals, limits: Limits) -> list[Pressure]:
    if not limits.dead_percent:
        return []
    if signals.dead_percent > limits.dead_percent:
        return [Pressure(slow=_SLOWER, reason=f"{signals.dead_percent:.0f} % dead rows in a table")]
    if signals.vacuuming:
        return [Pressure(slow=_SLOW, reason="VACUUM is running on a mapped table")]
    return []


def _oldest(signals: Signals, limits: Limits) -> list[Pressure]:
    if limits.oldest_seconds is None:
        return []
    if signals.oldest_seconds is None:
        return [
            _stop(
                "the age of other transactions is unknown: grant pg_read_all_stats to the "
                "worker's role, or unset RETENTION_MAX_TRANSACTION_AGE"
            )
        ]
    if signals.oldest_seconds > limits.oldest_seconds:
        minutes = signals.oldest_seconds / 60
        return [Pressure(slow=_SLOWER, reason=f"a transaction is {minutes:.0f} min old")]
    return []
