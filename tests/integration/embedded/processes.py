"""Looking at processes from outside, and running a server in another one."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
# A clean-up takes some hundredths of a second; a loaded machine may need more.
PATIENCE_SECONDS = 15

# A client that starts a server, tells about it in one line, and then does as its argument says.
CLIENT = """
import json, os, sys, time
from retention_worker.embedded import EmbeddedServer
with EmbeddedServer() as server:
    told = {"pid": server.pid, "bindir": str(server.bindir), "uid": os.stat(server.data_dir).st_uid}
    print(json.dumps(told), flush=True)
    if sys.argv[1] == "wait":
        time.sleep(120)
"""


def start_client(then: str, python: str = sys.executable, **options: Any) -> subprocess.Popen[str]:
    """Start a client in a session of its own; `then` is `wait` or `leave`."""
    return subprocess.Popen(
        [python, "-c", CLIENT, then],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=os.environ | {"PYTHONPATH": python_path()},
        start_new_session=True,
        **options,
    )


def python_path() -> str:
    """Return where another Python finds this package and what it says about itself."""
    return os.pathsep.join((str(REPOSITORY), sysconfig.get_path("purelib"), *sys.path))


def told(client: subprocess.Popen[str]) -> dict[str, Any]:
    """Read the client's line about its server."""
    assert client.stdout is not None
    line = client.stdout.readline()
    assert line, client.communicate()[1]
    answer: dict[str, Any] = json.loads(line)
    return answer


def family(pid: int) -> set[int]:
    """Return a process and its children, by their ids."""
    children = {
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if _fields(stat)[1:2] == [str(pid)]
    }
    return {pid} | children


def parent(pid: int) -> int:
    """Return the id of a process's parent."""
    return int(_fields(Path(f"/proc/{pid}/stat"))[1])


def alive(pids: set[int]) -> set[int]:
    """Return those that still run; one that only waits to be collected does not."""
    return {pid for pid in pids if _fields(Path(f"/proc/{pid}/stat"))[:1] not in ([], ["Z"], ["X"])}


def soon(condition: Callable[[], bool]) -> bool:
    """Tell whether the condition holds within the time that a clean-up may take."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def _fields(stat: Path) -> list[str]:
    """Return what follows the name: state, parent, and so on; nothing if the process is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []
