"""A config folder as an operator has it: the data map, and a policy file a tenant."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
SAMPLES = REPOSITORY / "config"


class ConfigFolder(os.PathLike[str]):
    """The folder, ready to hand to `RETENTION_CONFIG_DIR` or to anything that takes a path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tenants = path / "tenants"
        self.datamap = path / "datamap.yaml"
        self.tenants.mkdir(parents=True)
        shutil.copy(SAMPLES / "datamap.yaml", self.datamap)

    def __fspath__(self) -> str:
        return str(self.path)

    def write_policy(
        self,
        tenant: str,
        all_credentials: str | None = None,
        biometrics: str | None = None,
        **extra: Any,
    ) -> Path:
        """Write or replace a tenant's policy file; `extra` are further keys of the top level."""
        given = {"all_credentials": all_credentials, "biometrics": biometrics}
        retention = {key: value for key, value in given.items() if value is not None}
        return self.write_text(tenant, json.dumps(_policy(tenant, retention, extra), indent=2))

    def write_text(self, tenant: str, text: str) -> Path:
        """Write (or replace, at once) a tenant's file with any text, right or wrong."""
        target = self.tenants / f"{tenant}.yaml"
        part = self.path / f".{tenant}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(target)
        return target

    def remove_policy(self, tenant: str) -> None:
        """Remove a tenant's policy file."""
        (self.tenants / f"{tenant}.yaml").unlink()


def _policy(tenant: str, retention: dict[str, str], extra: dict[str, Any]) -> dict[str, Any]:
    # JSON is YAML, and needs no library to write.
    return {"tenant": tenant, "retention": retention, **extra}
