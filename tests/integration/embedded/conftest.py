"""A temporary folder of each test's own, in which nothing may stay behind."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def temp_root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have servers make their folders in an empty one, of this process and of its children.

    Not `tmp_path`: that is closed to other accounts, and its path is long for a socket.
    """
    root = Path(tempfile.mkdtemp(prefix="rw-t-", dir="/tmp"))
    root.chmod(0o777)
    monkeypatch.setenv("TMPDIR", str(root))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield root
    # A test that failed may have left a supervisor at work in it.
    shutil.rmtree(root, ignore_errors=True)
