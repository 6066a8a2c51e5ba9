"""YAML as plain values: the core schema of YAML 1.2, and where each value stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention_worker.configfiles.text import FileText
from retention_worker.configfiles.yaml_nodes import Document, Mark, dotted, parse
from retention_worker.domain.errors import FileProblemsError


def _parse(text: str) -> Document:
    return parse(Path("a.yaml"), FileText(text=text, content_hash=""))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("7f0c", "7f0c"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("9223372036854775807", 2**63 - 1),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("'7'", "7"),
        ('"null"', "null"),
        ("|\n  90 days", "90 days"),
        ("{}", {}),
        ("[]", []),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
    ],
)
def test_core_schema(text: str, value: Any) -> None:
    """Plain scalars by YAML 1.2; what is quoted is a text whatever it looks like."""
    found = _parse(f"key: {text}").value["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["007", "-01", "0o17", "0x1F", ".inf", "-.Inf", ".nan", "1" * 20])
def test_doubtful_numbers(text: str) -> None:
    """A number that two readers read differently is refused, not guessed."""
    with pytest.raises(FileProblemsError, match=r"^a\.yaml:1:6: key: this number .* in quotes"):
        _parse(f"key: {text}")


def test_marks() -> None:
    """Values and keys by path, from 1; an empty value stands where its key does."""
    document = _parse("a:\n  - b\n  - {c: 'd', e: }\nf: # comment\ng: |\n  text\n")
    assert document.marks == {
        (): Mark(1, 1),
        ("a",): Mark(2, 3),
        ("a", 0): Mark(2, 5),
        ("a", 1): Mark(3, 5),
        ("a", 1, "c"): Mark(3, 9),
        ("a", 1, "e"): Mark(3, 14),
        ("f",): Mark(4, 1),
        ("g",): Mark(5, 4),
    }
    assert document.key_marks["a", 1, "c"] == Mark(3, 6)


def test_characters_of_json() -> None:
    """JSON escapes what is outside the first plane in two halves; half of one is refused."""
    assert _parse('{"key": "\\ud83d\\ude00"}').value["key"] == "\U0001f600"
    for wrong in ("\\ud83d", "\\ude00\\ud83d", "\\u0000"):
        with pytest.raises(FileProblemsError, match=r"^a\.yaml:1:9: key: has a character that no"):
            _parse(f'{{"key": "{wrong}"}}')


def test_columns_count_characters() -> None:
    """As an editor counts them, whatever a character needs in bytes."""
    assert _parse("{\u00e4\u00f6\U0001f600: x}").marks["\u00e4\u00f6\U0001f600",] == Mark(1, 7)


def test_dotted() -> None:
    """Paths as people write them."""
    assert dotted(("credentials", 0, "erase", "set")) == "credentials[0].erase.set"
    assert dotted(()) == ""


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x00\x85\u2028\u2029\ufeff")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("ab: -#", max_size=5), inner)
    ),
    max_leaves=12,
)


@given(values)
def test_json_is_read_as_it_was_written(value: Any) -> None:
    """JSON is YAML: whatever a program writes as JSON comes back the same, type by type."""
    found = _parse(json.dumps({"key": value})).value["key"]
    assert json.dumps(found) == json.dumps(value)
