"""All policies: a file that is wrong stops its own tenant, and never another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from retention_worker.configfiles.policies import PolicySet, load_policies
from retention_worker.configfiles.text import content_hash
from retention_worker.domain.errors import FileProblemsError
from retention_worker.domain.policy.period import Period
from retention_worker.domain.policy.policy import PolicyBounds

CONFIG = Path("config")
TENANTS = CONFIG / "tenants"


@pytest.fixture(autouse=True)
def _in_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are printed as they were given, so the tests give relative ones."""
    (tmp_path / TENANTS).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


def _write(tenant: str, rest: str = "", folder: Path = TENANTS) -> None:
    (folder / f"{tenant}.yaml").write_text(f"tenant: {tenant}\n{rest}")


def _load(only: list[str] | None = None) -> PolicySet:
    return load_policies(CONFIG, PolicyBounds(), only)


def _lines(policies: PolicySet) -> list[str]:
    return [str(problem) for problem in policies.problems]


def test_in_order_of_name() -> None:
    """Every run sees the tenants in one order."""
    for tenant in ("zeta", "acme", "Beta", "a.b", "7"):
        _write(tenant) if tenant != "7" else _write("7x")
    assert list(_load().files) == ["7x", "Beta", "a.b", "acme", "zeta"]
    assert _load().problems == ()


def test_no_tenant_at_all() -> None:
    """An empty folder is no fault: nothing is erased."""
    assert _load() == PolicySet(files={}, problems=(), broken=frozenset())


def test_missing_folder() -> None:
    """A mount that is not there is an error and not an empty set of tenants."""
    TENANTS.rmdir()
    with pytest.raises(FileProblemsError) as caught:
        _load()
    assert str(caught.value) == (
        "config/tenants:1:1: cannot be read (No such file or directory):"
        " create it, or mend the path"
    )


def test_a_wrong_file_stops_nobody_else() -> None:
    """The others are swept; the wrong one is named with its place."""
    _write("acme", "retention:\n  biometrics: 0 days\n")
    _write("beta", "retention:\n  biometrics: 9 days\n")
    policies = _load()
    assert list(policies.files) == ["beta"]
    assert policies.broken == {"acme"}
    assert _lines(policies) == [
        "config/tenants/acme.yaml:3:15: retention.biometrics: '0 days' has a zero:"
        " write 1 day or more, or never"
    ]


def test_one_tenant_id_twice() -> None:
    """Two files for the rows of one tenant: neither is swept, since either may be the wrong one."""
    _write("acme", "tenant_id: shared\n")
    _write("beta")
    _write("shared")
    policies = _load()
    assert policies.broken == {"acme", "shared"}
    assert list(policies.files) == ["beta"]
    assert _lines(policies) == [
        "config/tenants/acme.yaml:2:12: tenant_id: 'shared' is in shared.yaml too:"
        " give each tenant its own",
        "config/tenants/shared.yaml:1:9: tenant_id: 'shared' is in acme.yaml too:"
        " give each tenant its own",
    ]


def test_a_wrong_file_still_claims_its_tenant_id() -> None:
    """A second fault does not hide that two files are for one tenant."""
    _write("acme", "tenant_id: shared\npaused: maybe\n")
    _write("beta", "tenant_id: shared\n")
    assert _load().broken == {"acme", "beta"}
    assert _load(["beta"]).broken == {"beta"}


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("acme.yml", {"acme"}),
        ("acme.YAML", {"acme"}),
        ("acme.yaml.bak", set()),
        ("README", set()),
        (".gitkeep", set()),
        (".acme.yaml.swp", set()),
    ],
)
def test_files_that_are_no_policy(name: str, broken: set[str]) -> None:
    """Another file is a fault; one that looks like a tenant's policy stops that tenant."""
    _write("acme")
    (TENANTS / name).write_text("")
    policies = _load()
    assert _lines(policies) == [
        f"config/tenants/{name}:1:1: is no policy: name it <tenant>.yaml, or take it out of the"
        " folder"
    ]
    assert policies.broken == broken


def test_a_folder_is_no_policy() -> None:
    """A folder is refused like a file, with or without the right name."""
    (TENANTS / "old").mkdir()
    (TENANTS / "acme.yaml").mkdir()
    assert _lines(_load()) == [
        "config/tenants/acme.yaml:1:1: is not a regular file: put a YAML file here",
        "config/tenants/old:1:1: is no policy: name it <tenant>.yaml, or take it out of the folder",
    ]
    assert _load().broken == {"acme"}


def test_only() -> None:
    """One tenant's sweep is not held up by another tenant's mistake, and has no stranger's file."""
    _write("acme")
    _write("beta", "x: 1\n")
    (TENANTS / "README").write_text("")
    assert _load(["acme"]).problems == ()
    assert list(_load(["acme"]).files) == ["acme"]
    assert _load(["beta"]).broken == {"beta"}
    policies = _load(["acme", "gamma"])
    assert policies.broken == {"gamma"}
    assert _lines(policies) == [
        "config/tenants/gamma.yaml:1:1: there is no such file: create it, or mend the tenant's name"
    ]


def _version(root: Path, name: str, days: int) -> None:
    """A version of a ConfigMap as Kubernetes mounts it: files behind two symbolic links."""
    folder = root / f"..{name}"
    folder.mkdir()
    _write("acme", f"retention:\n  biometrics: {days} days\n", folder)
    (root / "..new").symlink_to(f"..{name}")
    (root / "..new").replace(root / "..data")


def test_mounted_config_map() -> None:
    """The entries of Kubernetes are no policies, and its swap of a link is a change of the file."""
    _version(TENANTS, "2026_03_01", 90)
    path = TENANTS / "acme.yaml"
    path.symlink_to("..data/acme.yaml")
    first = _load()
    assert first.problems == ()
    assert content_hash(path) == first.files["acme"].content_hash
    _version(TENANTS, "2026_03_02", 60)
    second = _load()
    assert second.problems == ()
    assert second.files["acme"].policy.biometrics == Period(days=60)
    assert content_hash(path) == second.files["acme"].content_hash
    assert content_hash(path) != first.files["acme"].content_hash


def test_a_change_is_seen_though_size_and_time_are_the_same() -> None:
    """What is remembered goes by content alone."""
    _write("acme", "retention:\n  biometrics: 90 days\n")
    status = (TENANTS / "acme.yaml").stat()
    assert _load().files["acme"].policy.biometrics == Period(days=90)
    _write("acme", "retention:\n  biometrics: 91 days\n")
    import os

    os.utime(TENANTS / "acme.yaml", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert _load().files["acme"].policy.biometrics == Period(days=91)
