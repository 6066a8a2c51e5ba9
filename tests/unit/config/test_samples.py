"""The files in config/: right as they are, and together they show every option."""

from pathlib import Path

import pytest

from retention_worker.configfiles.datamap import load_datamap
from retention_worker.configfiles.policies import load_policies
from retention_worker.domain.datamap.datamap import DataMap
from retention_worker.domain.policy.policy import Policy, PolicyBounds
from retention_worker.domain.scope import Scope
from tests.config_folder import SAMPLES, ConfigFolder

TENANT_FILES = sorted((SAMPLES / "tenants").glob("*"))


@pytest.fixture(scope="module")
def policies() -> dict[str, Policy]:
    """The sample policies by tenant."""
    loaded = load_policies(SAMPLES, PolicyBounds())
    assert loaded.problems == ()
    return {tenant: file.policy for tenant, file in loaded.files.items()}


@pytest.fixture(scope="module")
def datamap() -> DataMap:
    """The reference data map."""
    return load_datamap(SAMPLES).datamap


def test_every_option_is_shown(policies: dict[str, Policy]) -> None:
    """Both periods, one of the two, none, a tenant_id, a pause and notes: each has a sample."""
    given = {
        (policy.all_credentials is not None, policy.biometrics is not None)
        for policy in policies.values()
    }
    assert given == {(True, True), (True, False), (False, True)}
    assert any(policy.tenant_id != policy.tenant for policy in policies.values())
    assert any(policy.paused and policy.notes for policy in policies.values())
    texts = [file.read_text() for file in TENANT_FILES]
    assert any(": never" in text for text in texts)
    assert any(": P1Y6M" in text for text in texts)


@pytest.mark.parametrize("file", TENANT_FILES, ids=lambda file: file.stem)
def test_tenants_point_to_their_schema(file: Path) -> None:
    """The first line lets an editor complete and check the file as it is written."""
    _points_to(file, "../policy.schema.json")


def test_the_data_map_points_to_its_schema() -> None:
    """The first line lets an editor complete and check the file as it is written."""
    _points_to(SAMPLES / "datamap.yaml", "./datamap.schema.json")


def test_the_data_map_covers_both_scopes(datamap: DataMap) -> None:
    """Biometrics are a part of all, and entries belong to accounts and to transactions."""
    biometrics = datamap.entries(Scope.BIOMETRICS)
    assert {entry.of for entry in biometrics} == {"account", "transaction"}
    names = {entry.name for entry in datamap.entries(Scope.ALL)}
    assert {entry.name for entry in biometrics} < names


def test_write_policy_makes_a_right_file(config_dir: ConfigFolder) -> None:
    """The tests' own helper writes what the worker reads."""
    config_dir.write_policy("acme", "360 days", "90 days", tenant_id="7", paused=True)
    config_dir.write_policy("elm", biometrics="P1M", notes="agreed")
    loaded = load_policies(Path(config_dir), PolicyBounds())
    assert loaded.problems == ()
    acme, elm = (loaded.files[tenant].policy for tenant in ("acme", "elm"))
    assert (acme.tenant_id, acme.paused, str(acme.all_credentials)) == ("7", True, "360 days")
    assert (elm.all_credentials, elm.notes) == (None, "agreed")
    config_dir.remove_policy("elm")
    assert load_policies(Path(config_dir), PolicyBounds()).files.keys() == {"acme"}


def _points_to(file: Path, schema: str) -> None:
    first = file.read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={schema}"
