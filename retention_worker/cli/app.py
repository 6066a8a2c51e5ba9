"""The program `retention-worker`: its commands put together, its errors as lines and exit codes."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from retention_worker import __version__
from retention_worker.cli.commands import (
    approve,
    client,
    clock,
    demo,
    doctor,
    erase,
    explain,
    forecast,
    hold,
    ledger,
    migrate,
    objects,
    pause,
    plan,
    policy,
    report,
    run,
    serve,
    sweep,
    user,
    verify,
)
from retention_worker.cli.terminal.output import clean, complain, say
from retention_worker.domain.errors import RetentionWorkerError

_PROGRAM = "retention-worker"
# What a shell says of a program that Ctrl-C ended.
_INTERRUPTED = 130

app = typer.Typer(
    name=_PROGRAM,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Erases credentials that are past their tenant's retention period, and proves it.",
    epilog="Exit codes: 0 done; 1 a person is needed; 2 wrong use or configuration; "
    "3 a guard or an unreachable database refused. Times are UTC.",
)
for command in (
    run.run,
    serve.serve,
    sweep.sweep,
    plan.plan,
    forecast.forecast,
    explain.explain,
    approve.approve,
    pause.pause,
    pause.resume,
    migrate.migrate,
    doctor.doctor,
    demo.demo,
    verify.verify,
    report.report,
):
    app.command(command.__name__)(command)
app.add_typer(erase.app, name="erase")
app.add_typer(hold.app, name="hold")
app.add_typer(client.app, name="client")
app.add_typer(user.app, name="user")
app.add_typer(ledger.app, name="ledger")
app.add_typer(objects.app, name="objects")
app.add_typer(policy.app, name="policy")
app.add_typer(clock.app, name="clock")


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"{_PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """What stands before a command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code comes back, whatever happens.

    Args:
        arguments: without the program's name; those of the process where it is None.
    """
    # Libraries that log by the standard library would print lines of their own to standard error;
    # what goes wrong in them comes back as an exception and is said once, by us.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        command = typer.main.get_command(app)
        given = list(sys.argv[1:] if arguments is None else arguments)
        code = command.main(given, prog_name=_PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:  # the reader, such as `head`, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except RetentionWorkerError as exc:
        for line in str(exc).splitlines():
            complain(line)
        return exc.exit_code
    except typer.TyperException as exc:
        message = exc.format_message()
        if not message.strip():  # no command: the help was shown
            return 2
        complain(f"{' '.join(message.split())} (see {_PROGRAM} --help)")
        return 2
    except Exception as exc:
        return _internal(exc)


def _internal(exc: Exception) -> int:
    """A defect: one line, without the message, which may quote what is in the database."""
    if os.environ.get("RETENTION_LOG_LEVEL", "").upper() == "DEBUG":
        traceback.print_exc()
    place = traceback.extract_tb(exc.__traceback__)[-1]
    at = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119 - a name, not a file
    complain(
        clean(
            f"internal error: {type(exc).__name__} at {at}: please report it; "
            "RETENTION_LOG_LEVEL=DEBUG shows where it comes from"
        )
    )
    return 1
