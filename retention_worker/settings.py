"""The operator's settings: environment variables `RETENTION_*`, read and checked once."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from apscheduler.triggers.cron import CronTrigger
from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from retention_worker.domain.access.role import Role
from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.policy.duration import parse_duration
from retention_worker.domain.policy.period import Period
from retention_worker.domain.policy.policy import PolicyBounds
from retention_worker.domain.policy.window import Window

PREFIX = "RETENTION_"
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
# Read by the test suite alone, so a developer's shell may hold it.
_FOREIGN = {"RETENTION_TEST_DATABASE_URL", "RETENTION_TEST_LONG"}


def _period(value: Any) -> Any:
    return Period.parse(value) if isinstance(value, str) else value


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _window(value: Any) -> Any:
    return Window.parse(value) if isinstance(value, str) else value


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != 5:
        raise ValueError("write five cron fields: minute hour day month weekday")
    if any(character.isdigit() for character in fields[4]):
        # cron counts Sunday as 0, APScheduler Monday: a number would mean another day.
        raise ValueError("write week days by name: mon, tue, wed, thu, fri, sat, sun")
    try:
        CronTrigger.from_crontab(value, timezone="UTC")
    except ValueError as exc:
        raise ValueError(f"not a cron expression: {exc}") from exc
    return value


def _roles(value: Any) -> Any:
    """`kyc-support=support, kyc-lead=approver`."""
    if not isinstance(value, str):
        return value
    found: dict[str, Role] = {}
    for part in value.split(","):
        theirs, _, ours = part.strip().rpartition("=")
        if not theirs or ours.strip() not in set(Role):
            raise ValueError(f"write their-group=role, ...; a role is one of {', '.join(Role)}")
        found[theirs.strip()] = Role(ours.strip())
    return found


PeriodSetting = Annotated[Period, NoDecode, BeforeValidator(_period)]
DurationSetting = Annotated[timedelta, NoDecode, BeforeValidator(_duration)]
RolesSetting = Annotated[dict[str, Role], NoDecode, BeforeValidator(_roles)]
WindowSetting = Annotated[Window, NoDecode, BeforeValidator(_window)]


class WorkerSettings(BaseSettings):
    """Every setting with its safe default; docs/settings.md explains each."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        arbitrary_types_allowed=True,
        validate_default=False,
    )

    database_url: SecretStr | None = None
    config_dir: Path = Path("config")
    config_revision: str | None = Field(default=None, max_length=200)
    schema_name: str = Field(default="retention", validation_alias="RETENTION_SCHEMA")
    schedule: str = "*/15 * * * *"
    reconcile: str = "30 2 * * sun"
    window: WindowSetting | None = None
    min_period: PeriodSetting = Period(days=1)
    max_biometrics: PeriodSetting | None = None
    max_all_credentials: PeriodSetting | None = None
    overdue_after: DurationSetting = timedelta(hours=24)
    duty_cycle_percent: int = Field(default=10, ge=1, le=100)
    streams: int = Field(default=1, ge=1, le=64)
    batch_target_ms: int | None = Field(default=None, ge=5, le=5_000)
    max_replication_lag_seconds: int = Field(default=10, ge=0, le=86_400)
    expected_standbys: str | None = Field(default=None, max_length=1_000)
    max_transaction_age: DurationSetting | None = None
    max_dead_percent: int = Field(default=20, ge=0, le=100)
    max_connection_percent: int = Field(default=90, ge=0, le=100)
    stop_when_archiving_fails: bool = True
    batch_max_accounts: int = Field(default=500, ge=1, le=10_000)
    batch_max_transactions: int = Field(default=2_000, ge=1, le=100_000)
    batch_deadline_ms: int = Field(default=100, ge=10, le=10_000)
    time_budget: DurationSetting | None = None
    guard_percent: int = Field(default=5, ge=1, le=100)
    guard_min_accounts: int = Field(default=10, ge=0)
    max_clock_skew_seconds: int = Field(default=60, ge=1, le=3600)
    ledger_export: str | None = None
    object_drain: bool = True
    object_schedule: str = "* * * * *"
    object_grace_seconds: int = Field(default=3_600, ge=0, le=30 * 86_400)
    object_concurrency: int = Field(default=4, ge=1, le=64)
    object_rate: int | None = Field(default=None, ge=1, le=1_000_000)
    object_timeout_seconds: int = Field(default=10, ge=1, le=300)
    object_sample_days: int = Field(default=7, ge=0, le=365)
    object_files_root: Path | None = None
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=8081, ge=0, le=65_535)
    web_host: str = "127.0.0.1"
    web_port: int = Field(default=8080, ge=0, le=65_535)
    web_url: str | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_name_claim: str = Field(default="preferred_username", min_length=1)
    oidc_tenant_claim: str = Field(default="tenant", min_length=1)
    oidc_role_claim: str = Field(default="role", min_length=1)
    oidc_roles: RolesSetting = {}
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    _crons = field_validator("schedule", "reconcile", "object_schedule")(_cron)

    @field_validator("schema_name")
    @classmethod
    def _identifier(cls, value: str) -> str:
        if not value or len(value.encode()) > 63 or "\x00" in value:
            raise ValueError("write the name of a schema, 1 to 63 bytes")
        return value

    @field_validator("web_url", "oidc_issuer")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not _ADDRESS.fullmatch(value):
            raise ValueError("write an address like https://retention.example.com")
        return value

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> WorkerSettings:
        needed = (self.web_url, self.oidc_client_id, self.oidc_client_secret)
        if self.oidc_issuer is not None and None in needed:
            raise ValueError(
                "RETENTION_OIDC_ISSUER: write RETENTION_WEB_URL, RETENTION_OIDC_CLIENT_ID and "
                "RETENTION_OIDC_CLIENT_SECRET too"
            )
        return self

    @property
    def batch_target_seconds(self) -> float:
        """How long a batch should take.

        Beside an application 10 ms: with 25 its p99 was twice that of a quiet server, with 10 a
        quarter more (docs/scale.md). Where there are no pauses nobody is to be spared: 50 ms.
        """
        if self.batch_target_ms is not None:
            return self.batch_target_ms / 1000
        return 0.05 if self.duty_cycle_percent == 100 else 0.01

    @property
    def bounds(self) -> PolicyBounds:
        """The operator's bounds for every policy."""
        return PolicyBounds(
            min_period=self.min_period,
            max_biometrics=self.max_biometrics,
            max_all_credentials=self.max_all_credentials,
        )

    @property
    def standbys(self) -> frozenset[str]:
        """The names of the standbys that have to be connected."""
        return frozenset(filter(None, map(str.strip, (self.expected_standbys or "").split(","))))

    @property
    def object_grace(self) -> timedelta:
        """How long an object that rows share is not touched."""
        return timedelta(seconds=self.object_grace_seconds)

    def dsn(self) -> str:
        """The database's address, with its password.

        Raises:
            ConfigurationError: `RETENTION_DATABASE_URL` is not set.
        """
        if self.database_url is None:
            raise ConfigurationError(
                "RETENTION_DATABASE_URL is not set: write postgresql://user@host/database"
            )
        return self.database_url.get_secret_value()


def known_variables() -> frozenset[str]:
    """The names of all environment variables that are read."""
    return frozenset(
        str(field.validation_alias or f"{PREFIX}{name.upper()}")
        for name, field in WorkerSettings.model_fields.items()
    )


def load() -> WorkerSettings:
    """Read the environment (and `.env`).

    Raises:
        ConfigurationError: a value is wrong or a `RETENTION_*` name is unknown; a line for each.
    """
    try:
        _refuse_unknown()
        return WorkerSettings()
    except ValidationError as exc:
        lines = (_line(error["loc"], error["msg"]) for error in exc.errors(include_input=False))
        raise ConfigurationError("\n".join(lines)) from None
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f".env cannot be read ({type(exc).__name__}): mend it") from exc


def _refuse_unknown() -> None:
    """A misspelt guard setting must not be ignored in silence."""
    # Read in any case, so checked in any case; the file's names come in lower case.
    given = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(WorkerSettings).env_vars)}
    known = known_variables() | _FOREIGN
    unknown = sorted(name for name in given if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise ConfigurationError(
            "\n".join(f"{name}: no setting has this name: see docs/settings.md" for name in unknown)
        )


def _line(location: tuple[int | str, ...], message: str) -> str:
    if not location:  # of several settings together: the message names them
        return message.removeprefix("Value error, ")
    name = str(location[0])
    variable = name if name.startswith(PREFIX) else f"{PREFIX}{name.upper()}"
    return f"{variable}: {message.removeprefix('Value error, ')}"
