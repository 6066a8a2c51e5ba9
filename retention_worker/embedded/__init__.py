"""A throwaway PostgreSQL for the demo and the tests; nothing of production imports it.

`EmbeddedServer` starts one from binaries that are found on this machine and leaves nothing behind:
no process and no folder, even when the program that started it is killed. How the parts divide it:

- `machine`: where PostgreSQL's programs are, which account may run them, since PostgreSQL refuses
  root, and which folder it may use;
- `supervisor`: the child process that makes, and so can always remove, whatever must not stay;
- `server`: what callers use, and this program's end of the pipes to the supervisor;
- `tables`: rows and scripts for the databases of such a server.
"""

from retention_worker.embedded.machine import EmbeddedServerError, find_bindir
from retention_worker.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "EmbeddedServerError", "find_bindir"]
