"""config/example.env: every setting, each with its true default."""

import re
from pathlib import Path

import pytest

from retention_worker import settings
from tests.config_folder import SAMPLES

EXAMPLE = SAMPLES / "example.env"
# Those without a default show an example in its place.
WITHOUT_DEFAULT = {
    name for name, field in settings.WorkerSettings.model_fields.items() if field.default is None
}


def assignments() -> dict[str, str]:
    """The variables in the file, commented out or not, with what they are set to."""
    lines = re.findall(r"^#?(RETENTION_\w+)=(.*)$", EXAMPLE.read_text(encoding="utf-8"), re.M)
    assert len(dict(lines)) == len(lines)
    return dict(lines)


def test_every_setting_is_there() -> None:
    """No setting is missing from the file, and none is left over."""
    assert assignments().keys() == settings.known_variables()


def test_the_defaults_are_true(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Taking the comment signs away changes nothing but what has no default."""
    monkeypatch.chdir(tmp_path)  # away from a developer's own .env
    for name in settings.known_variables():
        monkeypatch.delenv(name, raising=False)
    defaults = settings.load()
    for name, value in assignments().items():
        monkeypatch.setenv(name, value)
    shown = settings.load()
    for name in settings.WorkerSettings.model_fields.keys() - WITHOUT_DEFAULT:
        assert getattr(shown, name) == getattr(defaults, name), name


def test_the_file_as_it_is_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Copied to .env and left as it is, the file sets nothing."""
    monkeypatch.chdir(tmp_path)
    for name in settings.known_variables():
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    assert settings.load() == settings.WorkerSettings(_env_file=None)
