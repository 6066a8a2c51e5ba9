"""One policy file: every kind of fault gives its one line, with the exact place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retention_worker.configfiles.policy_file import load_policy_file
from retention_worker.domain.errors import FileProblem, FileProblemsError
from retention_worker.domain.policy.period import Period
from retention_worker.domain.policy.policy import PolicyBounds

BOUNDS = PolicyBounds()
GOOD = """\
tenant: acme
tenant_id: 7f0c
retention:
  all_credentials: 360 days
  biometrics: 90 days
paused: false
notes: agreed 2026-03-02, ticket 1234
"""
HOW = "write a whole number and a unit, such as 90 days, 6 weeks, 18 months or 3 years, or P1Y6M"


@pytest.fixture(autouse=True)
def _in_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are printed as they were given, so the tests give relative ones."""
    (tmp_path / "config" / "tenants").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


def _write(content: str | bytes, name: str = "acme.yaml") -> Path:
    path = Path("config/tenants") / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _lines(content: str | bytes, name: str = "acme.yaml", bounds: PolicyBounds = BOUNDS) -> str:
    with pytest.raises(FileProblemsError) as caught:
        load_policy_file(_write(content, name), bounds)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"config/tenants/{name}:", "")


def test_a_whole_file() -> None:
    """Every key, as it is written."""
    file = load_policy_file(_write(GOOD), BOUNDS)
    policy = file.policy
    assert (policy.tenant, policy.tenant_id, policy.paused) == ("acme", "7f0c", False)
    assert policy.all_credentials == Period(days=360)
    assert policy.biometrics == Period(days=90)
    assert policy.notes == "agreed 2026-03-02, ticket 1234"
    assert file.text == GOOD
    assert str(file.path) == "config/tenants/acme.yaml"


@pytest.mark.parametrize(
    "content",
    [
        "tenant: acme\n",
        "tenant: acme\nretention: {}\n",
        "tenant: acme\nretention: {all_credentials: never, biometrics: never}\n",
        '{"tenant": "acme", "notes": null}',
        "# a comment\n---\ntenant: acme\n...\n",
        "\ufefftenant: acme\r\npaused: false\r\n",
    ],
)
def test_what_is_absent_never_erases(content: str) -> None:
    """Without a period nothing is erased, and the tenant's own name is its tenant_id."""
    policy = load_policy_file(_write(content), BOUNDS).policy
    assert (policy.all_credentials, policy.biometrics) == (None, None)
    assert (policy.tenant_id, policy.notes, policy.paused) == ("acme", None, False)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # Periods.
        ("90 days", "0 days", "5:15: retention.biometrics: '0 days' has a zero:"),
        ("90 days", "-90 days", "5:15: retention.biometrics: '-90 days' is negative:"),
        ("90 days", "1.5 months", "5:15: retention.biometrics: '1.5 months' is a fraction:"),
        ("90 days", "90", "5:15: retention.biometrics: '90' has no unit: write 90 days"),
        ("90 days", "1.5", "5:15: retention.biometrics: '1.5' is a fraction:"),
        ("90 days", "PT90H", "5:15: retention.biometrics: 'PT90H' has a time part:"),
        ("90 days", "101 years", "5:15: retention.biometrics: '101 years' is longer than 100"),
        ("90 days", "soon", f"5:15: retention.biometrics: 'soon' is not a period: {HOW}"),
        ("90 days", "Never", "5:15: retention.biometrics: 'Never' is not a period:"),
        ("90 days", "", "5:3: retention.biometrics: is empty: write never, or leave the line"),
        ("90 days", "null", "5:15: retention.biometrics: is empty: write never, or leave the"),
        ("90 days", "~", "5:15: retention.biometrics: is empty: write never, or leave the line"),
        ("90 days", "''", "5:15: retention.biometrics: '' is empty: write a whole number"),
        ("90 days", "true", "5:15: retention.biometrics: is no period: write one such as 90"),
        ("90 days", "[90 days]", "5:15: retention.biometrics: is no period: write one such as"),
        ("90 days", "{days: 90}", "5:15: retention.biometrics: is no period: write one such as"),
        ("90 days", "007", "5:15: retention.biometrics: this number is read in different ways"),
        # Shorter, on every day of the year.
        (
            "90 days",
            "360 days",
            "5:15: retention.biometrics: 360 days can last 360 days and all_credentials 360:"
            " write a shorter period than all_credentials, or never",
        ),
        # Keys.
        ("biometrics:", "biometric:", "5:3: retention.biometric: is no key here: write biometrics"),
        ("paused:", "pause:", "6:1: pause: is no key here: write paused"),
        ("paused:", "x:", "6:1: x: is no key here: write one of tenant, tenant_id, retention,"),
        ("tenant: acme\n", "", "1:1: tenant: is missing: write tenant: acme"),
        ("tenant: acme", "tenent: acme", "1:1: tenent: is no key here: write tenant"),
        ("paused:", "tenant:", "6:1: tenant: is there twice, first in line 1: keep one"),
        (
            "  biometrics:",
            "  all_credentials:",
            "5:3: retention.all_credentials: is there twice, first in line 4: keep one",
        ),
        # Types.
        ("paused: false", "paused: no", "6:9: paused: is a text: write true or false"),
        ("paused: false", "paused: 0", "6:9: paused: is a number: write true or false"),
        ("paused: false", "paused:", "6:1: paused: is empty: write true or false"),
        ("paused: false", "paused: 'true'", "6:9: paused: is a text: write true or false"),
        ("notes: agreed 2026-03-02, ticket", "notes:", "7:8: notes: is a number, not a text:"),
        ("tenant: acme", "tenant: 12", "1:9: tenant: is no text: write it in quotes, so that"),
        ("tenant: acme", "tenant:", "1:1: tenant: is no name: write one"),
        ("7f0c", "7", "2:12: tenant_id: is no text: write it in quotes, so that it stays what"),
        ("7f0c", "7e10", "2:12: tenant_id: is no text: write it in quotes, so that it stays"),
        ("7f0c", "007", "2:12: tenant_id: this number is read in different ways: write it in"),
        ("7f0c", "true", "2:12: tenant_id: is no text: write it in quotes, so that it stays"),
        ("7f0c", "' '", "2:12: tenant_id: is no name: write one, or leave the line out"),
        ("7f0c", "", "2:1: tenant_id: is no name: write one, or leave the line out"),
        ("7f0c", "[a]", "2:12: tenant_id: is no name: write one, or leave the line out"),
        # Names.
        ("tenant: acme", "tenant: beta", "1:9: tenant: 'beta' is not the file's name: write acme"),
        # What YAML can do beyond values.
        ("90 days", "&x 90 days", "5:15: retention.biometrics: anchors and aliases are not read"),
        ("90 days", "*x", "5:15: retention.biometrics: anchors and aliases are not read: write"),
        ("90 days", "!!str 90 days", "5:15: retention.biometrics: the tag 'tag:yaml.org,2002:str'"),
        ("paused:", "<<: {a: 1}\npaused:", "6:1: <<: is no key here: write one of tenant,"),
        ("notes:", "---\nnotes:", "7:1: has a second document: write one file for each"),
        ("tenant:", "%YAML 1.1\n---\ntenant:", "1:1: has a % line: leave it out"),
        ("\n  bio", "\n\tbio", "5:1: has a tab: indent with spaces"),
        ("90 days", "@90", "5:15: is not YAML (found character '@' that cannot start any token)"),
        ("360 days", "360: days", "4:23: has a colon where none can be: check the indentation"),
        ("90 days", "[90", "6:7: is not YAML (expected ',' or ']', but got ':'): check quotes"),
        ("90 days", '"90', "8:1: is not YAML (found unexpected end of stream): check quotes"),
        ("90 days", "9\x070", "5:16: has a control character: take it out"),
        ("90 days", "9\x000", "5:16: has a control character: take it out"),
        ("7f0c", '"7\\0"', "2:12: tenant_id: has a character that no database stores: take it"),
        ("7f0c", '"\\ud800"', "2:12: tenant_id: has a character that no database stores: take"),
        ("paused:", "7: x\npaused:", "6:1: 7: a key is a text: put it in quotes"),
        ("paused:", "? [a]\n: x\npaused:", "6:3: has a key that is no text: write a name before"),
    ],
)
def test_one_fault_one_line(old: str, new: str, line: str) -> None:
    """What is wrong and what to write, at the line and column where it is to be mended."""
    assert old in GOOD
    found = _lines(GOOD.replace(old, new, 1))
    assert found.startswith(line)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "1:1: is empty: write its keys under it, one a line"),
        (b"# nothing\n", "1:1: is empty: write its keys under it, one a line"),
        (b"acme\n", "1:1: is a text: write its keys under it, one a line"),
        (b"- tenant: acme\n", "1:1: is a list: write its keys under it, one a line"),
        (b"tenant: acme\nnotes: M\xfcller\n", "2:9: is not UTF-8: save the file as UTF-8"),
        ("tenant: acme\n".encode("utf-16"), "1:1: is not UTF-8: save the file as UTF-8"),
        (b"tenant: acme\nretention: 90 days\n", "2:12: retention: is a text: write its keys under"),
        (b"tenant: acme\nretention:\n", "2:1: retention: is empty: write its keys under it, one"),
        (b"tenant: acme\n" + b"#" * 262_144, "1:1: is over 256 KB: shorten it"),
        (b"tenant: " + b"[" * 100_000, "1:33: tenant: is nested deeper than 24: make it flatter"),
        (b"tenant: acme\nnotes: " + b"9" * 5_000, "2:8: notes: this number is too large: write it"),
    ],
)
def test_files_that_are_no_policy(content: bytes, line: str) -> None:
    """What cannot be read as keys and values is one line, and never a traceback."""
    found = _lines(content)
    assert found.startswith(line)
    assert "\n" not in found


def test_every_fault_is_reported_in_the_order_of_the_file() -> None:
    """One reading shows all there is to mend."""
    content = GOOD.replace("7f0c", "7").replace("360 days", "1y").replace("false", "maybe")
    places = [line.split(": ")[0:2] for line in _lines(content).splitlines()]
    assert places == [
        ["2:12", "tenant_id"],
        ["4:20", "retention.all_credentials"],
        ["6:9", "paused"],
    ]


def test_a_flood_of_faults_is_cut() -> None:
    """Another file that was put here by mistake does not fill the log at each sweep."""
    assert len(_lines("".join(f"k{n}: v\n" for n in range(200))).splitlines()) == 50


def test_operator_bounds() -> None:
    """The operator's bounds hold for every file, at the line of the period."""
    bounds = PolicyBounds(
        min_period=Period(days=100),
        max_biometrics=Period(months=36),
        max_all_credentials=Period(days=300),
    )
    assert _lines(GOOD, bounds=bounds).splitlines() == [
        "4:20: retention.all_credentials: 360 days is more than the operator's maximum:"
        " write 300 days or shorter",
        "5:15: retention.biometrics: 90 days is less than the operator's minimum:"
        " write 100 days or longer",
    ]
    assert load_policy_file(_write(GOOD), PolicyBounds()).policy.biometrics == Period(days=90)


@pytest.mark.parametrize("name", ["acme.yml", "acme.yaml.bak", "acme", "README.md"])
def test_other_names_are_no_policy(name: str) -> None:
    """Only `<tenant>.yaml` counts, wherever the file is."""
    assert _lines(GOOD, name).startswith("1:1: is no policy: name it <tenant>.yaml")


@pytest.mark.parametrize(
    "name", ["-x.yaml", ".acme.yaml", "a b.yaml", "\u00e4.yaml", "x" * 101 + ".yaml"]
)
def test_tenant_names(name: str) -> None:
    """A tenant's name is safe as a file's name, in a URL and as a label."""
    assert _lines(GOOD, name).startswith("1:1: is not named for a tenant: use letters, digits")


def test_a_name_that_cannot_be_printed() -> None:
    """A line break in a file's name does not make two lines of one problem."""
    with pytest.raises(FileProblemsError) as caught:
        load_policy_file(_write(GOOD, "a\nb.yaml"), BOUNDS)
    assert str(caught.value).startswith("config/tenants/a\\nb.yaml:1:1: is not named for")


def test_missing_file() -> None:
    """A file that is not there is a problem like any other."""
    with pytest.raises(FileProblemsError, match=r"^config/tenants/no\.yaml:1:1: cannot be read"):
        load_policy_file(Path("config/tenants/no.yaml"), BOUNDS)


def test_the_same_text_is_judged_by_its_bounds_and_path() -> None:
    """What is remembered of a file that did not change depends on nothing else."""
    path = _write(GOOD)
    assert load_policy_file(path, BOUNDS) == load_policy_file(path, BOUNDS)
    with pytest.raises(FileProblemsError, match="operator's minimum"):
        load_policy_file(path, PolicyBounds(min_period=Period(days=91)))
    with pytest.raises(FileProblemsError, match="'acme' is not the file's name: write beta"):
        load_policy_file(_write(GOOD, "beta.yaml"), BOUNDS)


PIECES = (
    "tenant|retention|biometrics|: |\n|  |- |90 days|{|}|[|]|'|\"|&a|*a|!|>|#|%|---|?|,|\t|\0|7|~"
)
pieces = st.lists(st.sampled_from(PIECES.split("|")), max_size=30).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(pieces.map(str.encode), st.binary()))
def test_any_bytes_are_a_policy_or_problems(content: bytes) -> None:
    """Nothing that a file may hold ends in another error, and each problem is one line."""
    problems: tuple[FileProblem, ...] = ()
    try:
        load_policy_file(_write(content), BOUNDS)
    except FileProblemsError as exc:
        problems = exc.problems
    for problem in problems:
        assert "\n" not in str(problem)
        assert min(problem.line, problem.column) >= 1
