"""The command line. Each program brings its own commands, loaded only when called: `b2stream inspect` must not wait for Faust."""

import importlib
import sys
from typing import Any

import click

from b2stream import __version__
from b2stream.errors import B2streamError, ConfigurationError

_COMMANDS = {
    "archive-provenance": (
        "b2stream.programs.audit.history.daily_cli:command",
        "Archive what happened to objects on a day.",
    ),
    "audit": ("b2stream.programs.audit.cli:audit", "Compare centres, log and chains; name what is wrong."),
    "config": ("b2stream.commands.config:config", "Show every setting and where it came from."),
    "demo": ("b2stream.sandbox.demo.cli:demo", "Carry station files through the whole chain, and check the result."),
    "evidence": ("b2stream.programs.audit.evidence.cli:evidence", "Write a year's evidence for an auditor."),
    "follow": ("b2stream.reader.cli:follow", "Print commit events as they come."),
    "gateway": ("b2stream.programs.gateway.cli:gateway", "Publish a station's files."),
    "inspect": ("b2stream.programs.gateway.inspect:inspect", "Say what the gateway would make of a file."),
    "offsets": ("b2stream.programs.processor.offsets:offsets", "Show a group's offsets, or accept a loss."),
    "processor": ("b2stream.programs.processor.cli:processor", "Assemble batches and commit them at the first centre."),
    "provenance": (
        "b2stream.programs.audit.history.cli:provenance",
        "Tell a data object's history, from instrument to archive.",
    ),
    "reannounce": (
        "b2stream.programs.audit.repair.reannounce_cli:command",
        "Make commit events again from the manifests.",
    ),
    "repair": ("b2stream.programs.audit.repair.cli:repair", "Plan and do what mends the findings of an audit."),
    "registrar": ("b2stream.programs.registrar.cli:registrar", "Register PIDs, and describe objects by attributes."),
    "replicator": ("b2stream.programs.replicator.cli:replicator", "Copy committed batches to the second centre."),
    "sandbox": ("b2stream.sandbox.cli:sandbox", "A whole deployment on this machine: up, status, down, flip-byte."),
    "station": ("b2stream.commands.station:station", "Make keys for stations, and publish who may sign for them."),
    "scrub": (
        "b2stream.programs.audit.scrub.cli:scrub",
        "Let the centres read again what they store, oldest check first.",
    ),
    "topics": ("b2stream.commands.topics:topics", "Create or check the topics."),
    "verify": ("b2stream.programs.audit.verify.cli:verify", "Fetch a data object, recompute it, and compare."),
}
_EXTRA_OF = {
    "demo": "sandbox",
    "gateway": "gateway",
    "inspect": "gateway",
    "offsets": "processor",
    "processor": "processor",
    "registrar": "registrar",
    "replicator": "replicator",
    "sandbox": "sandbox",
    "scrub": "audit",
    "station": "gateway",
}

EXIT_FATAL = 1
EXIT_CONFIGURATION = 4


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]
        except ModuleNotFoundError as error:
            raise _cure(cmd_name, error) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:  # some parts are imported where they are used: the sandbox's Java, Redis
            raise _cure(ctx.invoked_subcommand or "", error) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in sorted(_COMMANDS.items())])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="b2stream")
def cli() -> None:
    """Carry station measurements through Kafka into EUDAT B2SAFE, and prove that what is archived is what was measured.

    Exit codes: 0 all good, 1 failed or a finding, 2 wrong usage, 4 wrong configuration, 130 interrupted.
    """


def _cure(command: str, error: ModuleNotFoundError) -> Exception:
    """One line that tells how to get what a command lacks; the error itself where no extra would help."""
    missing = error.name or ""
    if missing.partition(".")[0] == "b2stream":
        absent = _COMMANDS.get(command, ("",))[0].startswith(missing)
        return click.ClickException(f"`b2stream {command}` is not part of this installation") if absent else error
    if command not in _EXTRA_OF:
        return error
    return click.ClickException(f"`b2stream {command}` needs {missing}: pip install 'b2stream[{_EXTRA_OF[command]}]'")


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `b2stream` command."""
    try:
        result: Any = cli.main(arguments, standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except B2streamError as error:
        click.echo(f"b2stream: {error}", err=True)
        sys.exit(EXIT_CONFIGURATION if isinstance(error, ConfigurationError) else EXIT_FATAL)
    sys.exit(result if isinstance(result, int) else 0)
