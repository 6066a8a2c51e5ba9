"""A throwaway PostgreSQL for the demo and the tests; nothing of production imports it.

`EmbeddedServer` starts one from binaries that are found on this machine and leaves nothing behind:
no process and no folder, even when the program that started it is killed. How the parts divide it:

- `binaries`: where PostgreSQL's programs are;
- `account`: which account may run them, since PostgreSQL refuses root;
- `keeper`: the child process that makes, and so can always remove, whatever must not stay behind;
- `channel`: this program's end of the pipes to the keeper;
- `server`: what callers use.
"""

from retention_worker.embedded.binaries import find_bindir
from retention_worker.embedded.errors import EmbeddedServerError
from retention_worker.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "EmbeddedServerError", "find_bindir"]
