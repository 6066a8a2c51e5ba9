"""Who runs the server: as root somebody else, as an ordinary user oneself."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from retention_worker.embedded import EmbeddedServer, find_bindir
from tests.integration.embedded.processes import REPOSITORY, python_path, start_client, told

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def python_for(uid: int, gid: int) -> str | None:
    """Return a Python that the account can run this package with, or None."""
    for python in (sys.executable, "/usr/bin/python3"):
        code = "import sys, retention_worker.embedded as e; e.find_bindir()"
        try:
            done = subprocess.run(
                [python, "-c", code],
                user=uid,
                group=gid,
                extra_groups=[],
                cwd="/",
                env=os.environ | {"PYTHONPATH": python_path()},
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


@as_root
def test_root_gives_its_rights_away(temp_root: Path) -> None:
    """As root the server runs as an account without rights, which owns only what it needs."""
    with EmbeddedServer() as server:
        nobody = pwd.getpwnam("nobody")
        status = Path(f"/proc/{server.pid}/status").read_text().splitlines()
        ids = {line.split(":")[0]: line.split()[1:] for line in status}
        assert set(ids["Uid"]) == {str(nobody.pw_uid)}
        assert set(ids["Gid"]) == {str(nobody.pw_gid)}
        assert ids["Groups"] == []
        owners = {path.name: path.stat().st_uid for path in server.log_path.parent.iterdir()}
        assert owners == {"data": nobody.pw_uid, "socket": nobody.pw_uid, "server.log": 0}
        assert server.log_path.parent.stat().st_uid == 0


@as_root
def test_secrets_stay_with_us(temp_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other account's processes do not see our environment."""
    monkeypatch.setenv("RETENTION_DATABASE_URL", "postgresql://u:secret@h/d")
    with EmbeddedServer() as server:
        assert "secret" not in Path(f"/proc/{server.pid}/environ").read_text()


@as_root
def test_binaries_in_a_closed_folder(temp_root: Path, tmp_path: Path) -> None:
    """Binaries below a folder that only root may enter are copied out, and the copy goes too."""
    closed = tmp_path / "home"
    closed.mkdir()
    source = find_bindir()
    package = source.parent.parent
    if not (source.parent / "share").is_dir():
        pytest.skip("the binaries found here are not an install that can be moved")
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(source.parent, closed / package.name / "pginstall", symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    bindir = closed / package.name / "pginstall" / "bin"
    with EmbeddedServer(bindir=bindir) as server:
        assert server.bindir.is_relative_to(temp_root)
        server.create_database("x")
        server.kill()
        server.start()
    assert list(temp_root.iterdir()) == []
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_temporary_folder_closed_to_the_account(
    temp_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TMPDIR that only root may enter is not used: the server could not reach its data."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with EmbeddedServer() as server:
        assert not server.data_dir.is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ordinary_user(temp_root: Path) -> None:
    """An ordinary user's server runs as that user and leaves nothing, as does root's."""
    if os.geteuid() != 0:
        client, uid = start_client("leave"), os.geteuid()
    else:
        nobody = pwd.getpwnam("nobody")
        uid = nobody.pw_uid
        python = python_for(uid, nobody.pw_gid)
        if python is None:
            pytest.skip(f"nobody can run no Python with {REPOSITORY} and the binaries")
        switch = {"user": uid, "group": nobody.pw_gid, "extra_groups": []}
        client = start_client("leave", python, **switch)
    assert told(client)["uid"] == uid
    assert client.communicate(timeout=30) == ("", "")
    assert client.returncode == 0
    assert list(temp_root.iterdir()) == []
