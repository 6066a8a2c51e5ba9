"""The one error of the embedded server."""


class EmbeddedServerError(RuntimeError):
    """The throwaway PostgreSQL cannot be had or used; the message is one line that says why."""
