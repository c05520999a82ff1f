"""`b2stream sandbox up | status | down | flip-byte`: a deployment that goes on after the command has ended."""

import fcntl
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import Any

import click

from b2stream.sandbox import probes, programs, vaults
from b2stream.sandbox.deployment import SERVERS, Deployment, stop_recorded
from b2stream.sandbox.given import CENTRES, Given, require_open_kafka
from b2stream.sandbox.handle.options import handle_options
from b2stream.sandbox.progress import JarProgress
from b2stream.sandbox.records import read_parts
from b2stream.settings.passwords import without_password

DEFAULT_DIRECTORY = Path(".b2stream") / "sandbox"
NOT_ALL_UP = 1

directory_option = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="Where all its files lie; two sandboxes in two directories do not disturb each other.",
)
port = click.IntRange(1, 65_535)
file = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.group()
def sandbox() -> None:
    """A whole deployment on this machine: real Kafka, Redis and Handle server, two embedded iRODS zones, and the programs."""


@sandbox.command()
@directory_option
@click.option("--community", default="icos", show_default=True, help="Prefix of the topics.")
@click.option(
    "--brokers",
    type=click.IntRange(1, 3),
    help="Kafka brokers: 1, or 3 that keep three copies of each message; else as many as are there.",
)
@click.option(
    "--kafka-port", "kafka_port", type=port, help="Fix the port of Kafka (of three the first); else free ones."
)
@click.option("--redis-port", type=port, help="Fix the port of Redis.")
@click.option("--handle-port", type=port, help="Fix the port of the Handle server.")
@click.option("--first-port", type=port, help="Fix the port of the first centre's zone.")
@click.option("--second-port", type=port, help="Fix the port of the second centre's zone.")
@click.option("--kafka", metavar="HOST:PORT", help="Use this Kafka; its listener must be one without TLS and password.")
@click.option("--redis", metavar="URL", help="Use this Redis: redis://HOST:PORT/0")
@click.option(
    "--first", metavar="URL", help="Use this zone as first centre: irods://user@host:1247/zone/home/user/path"
)
@click.option("--second", metavar="URL", help="Use this zone as second centre.")
@click.option("--first-password-file", type=file, help="The password for --first.")
@click.option("--second-password-file", type=file, help="The password for --second.")
@handle_options
@click.option("--servers-only", is_flag=True, help="Start no program, the servers alone.")
def up(directory: Path, community: str, brokers: int | None, servers_only: bool, **options: Any) -> None:
    """Start what does not run yet, wait until everything answers, and print the addresses."""
    ports = {name: options[f"{name}_port"] for name in SERVERS if options[f"{name}_port"]}
    given = Given(**{name: value for name, value in options.items() if not name.endswith("_port")})
    with _alone(directory):
        require_open_kafka(given.kafka)
        deployment = Deployment(
            directory,
            given,
            ports,
            community,
            survives=True,
            brokers=brokers,
            say=click.echo,
            tell_jars=JarProgress(sys.stderr),
        )
        deployment.start()
        if not servers_only:
            deployment.prepare()
            for name in deployment.program_names:
                if not programs.is_here(name):
                    click.echo(f"{name}: not part of this installation")
                elif name not in deployment.programs:
                    deployment.run_program(name)
    click.echo()
    _print_table(probes.ask_all(list(read_parts(directory).values())))
    click.echo(f"\nUse it:   export B2STREAM_CONFIG={deployment.settings_file}")
    click.echo(f"End it:   {programs.typed_command()} sandbox down{_said(directory)}")


@sandbox.command()
@directory_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def status(context: click.Context, directory: Path, as_json: bool) -> None:
    """Ask each part whether it works. Exit code 0: all do; 1: something does not, or nothing was ever started here."""
    found = probes.ask_all(list(read_parts(directory).values()))
    all_up = bool(found) and all(one.good for one in found)
    if as_json:
        rows = [{**vars(one.part), "address": without_password(one.part.address), "state": one.state} for one in found]
        click.echo(json.dumps({"directory": str(directory.absolute()), "all_up": all_up, "parts": rows}, indent=2))
    elif found:
        _print_table(found)
    else:
        click.echo(f"no sandbox in {directory}; `{programs.typed_command()} sandbox up{_said(directory)}` starts one")
    context.exit(0 if all_up else NOT_ALL_UP)


@sandbox.command()
@directory_option
def down(directory: Path) -> None:
    """Stop everything that runs there; the data stays, and `up` goes on with it."""
    if not read_parts(directory):
        click.echo(f"no sandbox in {directory}")
        return
    with _alone(directory):
        stopped = stop_recorded(directory)
    click.echo("stopped: " + ", ".join(stopped) if stopped else "nothing was running")


@sandbox.command("flip-byte")
@click.argument("what", required=False, metavar="[PATH|PID]")
@directory_option
@click.option(
    "--centre", "role", type=click.Choice(["first", "second"]), default="second", show_default=True, help="Whose vault."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def flip(what: str | None, directory: Path, role: str, as_json: bool) -> None:
    """Damage a data object as a failing disk does: one bit, in the file, and the catalogue knows nothing of it.

    PATH is below the root of the archive; without one, any data object. `b2stream verify` finds it and `b2stream repair` mends it;
    the same command again flips the bit back. Exit codes: 0 flipped, 4 not in the vault of a sandbox's own zone.
    """
    vault = vaults.own_vault(directory, role)
    path = vaults.find(vault, what, SystemRandom())
    position = vaults.flip_byte(vault / path)
    centre = next(one.name for one in CENTRES if one.role == role)
    if as_json:
        click.echo(json.dumps({"path": path, "centre": centre, "byte": position, "file": str(vault / path)}, indent=2))
    else:
        click.echo(f"flipped the last bit of byte {position} of {path} at {centre}: {vault / path}")


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two `up` or `down` in one directory, one after the other."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "command.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _print_table(found: list[probes.Health]) -> None:
    rows = [("part", "state", "pid", "address")]
    for one in found:
        ours = str(one.part.pid or "") if one.state in ("up", "silent") else ""
        pid = "yours" if one.part.pid is None and one.part.address else ours
        rows.append((one.part.name, one.state, pid, without_password(one.part.address)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip())


def _said(directory: Path) -> str:
    return "" if directory == DEFAULT_DIRECTORY else f" --directory {directory}"
