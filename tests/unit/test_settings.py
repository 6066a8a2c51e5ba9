"""Settings: read once, checked, named in every complaint, and never with a secret in a text."""

from datetime import timedelta
from pathlib import Path

import pytest

from retention_worker import settings
from retention_worker.domain.errors import ConfigurationError
from retention_worker.domain.policy.period import Period


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a developer's environment nor a .env."""
    monkeypatch.chdir(tmp_path)
    for name in settings.known_variables():
        monkeypatch.delenv(name, raising=False)


def test_values_have_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Periods, lengths of time and windows are read by their own grammars."""
    monkeypatch.setenv("RETENTION_MIN_PERIOD", "P1M")
    monkeypatch.setenv("RETENTION_MAX_BIOMETRICS", "3 years")
    monkeypatch.setenv("RETENTION_TIME_BUDGET", "10m")
    monkeypatch.setenv("RETENTION_WINDOW", "01:00-05:00 Europe/Berlin")
    monkeypatch.setenv("RETENTION_SCHEMA", "Own Schema")
    found = settings.load()
    assert found.bounds.min_period == Period(months=1)
    assert found.bounds.max_biometrics == Period(months=36)
    assert found.time_budget == timedelta(minutes=10)
    assert str(found.window) == "01:00-05:00 Europe/Berlin"
    assert found.schema_name == "Own Schema"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SCHEDULE", "* * *", "write five cron fields"),
        ("SCHEDULE", "*/15 * * * 1", "write week days by name"),
        ("SCHEDULE", "61 * * * *", "not a cron expression"),
        ("RECONCILE", "0 0 * * 0", "write week days by name"),
        ("WINDOW", "01:00-01:00", "the window is empty"),
        ("WINDOW", "01:00-02:00 Mars/Base", "write HH:MM-HH:MM and a zone"),
        ("OVERDUE_AFTER", "24", "write a positive number and s, m, h or d"),
        ("TIME_BUDGET", "0s", "write a positive number and s, m, h or d"),
        ("MIN_PERIOD", "0 days", "has a zero"),
        ("SCHEMA", "a\x00b", ""),
        ("GUARD_PERCENT", "0", "greater than or equal to 1"),
        ("LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_a_wrong_value_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, words: str
) -> None:
    """The variable and what to write; from .env just as from the environment."""
    (tmp_path / ".env").write_text(f'RETENTION_{name}="{value}"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        settings.load()
    line = str(caught.value)
    assert line.startswith(f"RETENTION_{name}: ")
    assert words in line
    assert "\n" not in line


def test_a_batch_is_short_beside_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten milliseconds, fifty where there are no pauses, and whatever an operator writes."""
    assert settings.load().batch_target_seconds == 0.01
    monkeypatch.setenv("RETENTION_DUTY_CYCLE_PERCENT", "100")
    assert settings.load().batch_target_seconds == 0.05
    monkeypatch.setenv("RETENTION_BATCH_TARGET_MS", "25")
    assert settings.load().batch_target_seconds == 0.025


def test_unknown_names_are_refused_in_any_case(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A misspelt guard is no guard: it is refused wherever and however it is written."""
    monkeypatch.setenv("RETENTION_GARD_PERCENT", "5")
    monkeypatch.setenv("retention_streems", "5")
    (tmp_path / ".env").write_text("RETENTION_PAWS=1\nOTHER=1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        settings.load()
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "RETENTION_GARD_PERCENT",
        "RETENTION_PAWS",
        "RETENTION_STREEMS",
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A .env that is no text is a wrong configuration, not a defect."""
    (tmp_path / ".env").write_bytes(b"RETENTION_SCHEMA=\xff\xfe\n")
    with pytest.raises(ConfigurationError, match=r"^\.env cannot be read"):
        settings.load()


def test_the_password_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only `dsn()` gives it; whoever prints the settings sees stars."""
    monkeypatch.setenv("RETENTION_DATABASE_URL", "postgresql://u:Geheimnis@h/d")
    found = settings.load()
    assert "Geheimnis" not in f"{found!r} {found} {found.model_dump()}"
    assert found.dsn() == "postgresql://u:Geheimnis@h/d"
    monkeypatch.setenv("RETENTION_DATABASE_URL", "")
    with pytest.raises(ConfigurationError, match="RETENTION_DATABASE_URL is not set"):
        settings.load().dsn()
