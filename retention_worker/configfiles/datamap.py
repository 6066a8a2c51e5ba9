"""The data map's file: `datamap.yaml` in the folder of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from retention_worker.configfiles.problems import validated
from retention_worker.configfiles.text import read
from retention_worker.configfiles.yaml_nodes import parse
from retention_worker.domain.datamap.datamap import DataMap

FILE_NAME = "datamap.yaml"
# What to write where a key is missing.
HINTS = {
    "account": "account: the column with the account's id",
    "accounts": "accounts: with table, id and last_activity",
    "at": "at: the column with the time of the activity",
    "class": "class: biometric, or class: other",
    "column": "column: its name",
    "credentials": "credentials: a list of entries",
    "erase": "erase: rows, or erase: {set: {column: value}}",
    "id": "id: the column with the primary key",
    "in_progress": "in_progress: [value]",
    "key": "key: the column that refers to the parent",
    "last_activity": "last_activity: the column with the time",
    "name": "name: what people call these credentials",
    "of": "of: account, transaction or a link",
    "table": "table: schema.table",
}


@dataclass(frozen=True, kw_only=True)
class DataMapFile:
    """The file as it was read; `content_hash` is the SHA-256 (hex) of its bytes."""

    path: Path
    text: str
    content_hash: str
    datamap: DataMap


def load_datamap(config_dir: Path) -> DataMapFile:
    """Read `<config_dir>/datamap.yaml` and check what can be known without the database.

    Raises:
        FileProblemsError: it is missing or wrong; one problem for each fault.
    """
    path = config_dir / FILE_NAME
    source = read(path)
    return DataMapFile(
        path=path,
        text=source.text,
        content_hash=source.content_hash,
        datamap=validated(DataMap, parse(path, source), HINTS),
    )
