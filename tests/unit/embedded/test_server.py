"""What the server object promises before a server runs."""

import pytest

from retention_worker.embedded import EmbeddedServer, EmbeddedServerError


@pytest.mark.parametrize(
    "settings",
    [{"port": "1"}, {"Unix_Socket_Directories": "/x"}, {"a b": "1"}, {"work_mem": "1\nport = 2"}],
)
def test_refuses_settings_at_construction(settings: dict[str, str]) -> None:
    """A setting that would break the launcher or the file's form is refused, by name, at once."""
    with pytest.raises(EmbeddedServerError, match=next(iter(settings)).split()[0]):
        EmbeddedServer(settings=settings)


def test_says_that_it_was_not_started() -> None:
    """Before the start there is nothing to connect to or to stop, and closing is harmless."""
    server = EmbeddedServer()
    with pytest.raises(EmbeddedServerError, match="not started"):
        server.dsn("postgres")
    with pytest.raises(EmbeddedServerError, match="not started"):
        _ = server.version
    with pytest.raises(EmbeddedServerError, match="not running"):
        _ = server.pid
    with pytest.raises(EmbeddedServerError, match="not running"):
        server.kill()
    server.close()
