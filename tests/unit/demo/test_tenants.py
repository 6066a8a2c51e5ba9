"""The demo's tenants are those of the sample files, which the package carries."""

from __future__ import annotations

from importlib.resources import as_file, files

from retention_worker.configfiles.policies import load_policies
from retention_worker.demo.tenants import TENANTS
from retention_worker.domain.policy.policy import PolicyBounds
from tests.config_folder import SAMPLES


def test_the_package_carries_the_samples() -> None:
    """The demo of an installed wheel reads the same files that stand in config/."""
    with as_file(files("retention_worker.demo") / "config") as carried:
        for path in (SAMPLES / "datamap.yaml", *sorted((SAMPLES / "tenants").iterdir())):
            copy = carried / path.relative_to(SAMPLES)
            assert copy.read_text() == path.read_text(), f"copy {path} to retention_worker/demo/"
        assert len(list((carried / "tenants").iterdir())) == len(TENANTS)


def test_the_tenants_are_those_of_the_samples() -> None:
    """Each policy file is about a tenant of the demo, under the same name and id."""
    policies = load_policies(SAMPLES, PolicyBounds()).files
    assert {file.policy.tenant_id: name for name, file in policies.items()} == TENANTS
