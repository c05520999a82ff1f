"""`b2stream demo`."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import click

from b2stream.errors import ConfigurationError
from b2stream.sandbox.demo import interruption
from b2stream.sandbox.demo.feeding import Feed, from_folder, simulated
from b2stream.sandbox.demo.ledger import FILE_NAME, Ledger
from b2stream.sandbox.demo.run import Choices, print_line, run
from b2stream.sandbox.deployment import stop_recorded
from b2stream.sandbox.given import Given
from b2stream.sandbox.handle.options import handle_options
from b2stream.sandbox.records import read_parts
from b2stream.sandbox.signing import KEYS

BASE = Path(".b2stream") / "demo"
SIMULATED = "simulated"
SEED = 2024
INTERRUPTED = 130

folder = click.Path(exists=True, file_okay=False, path_type=Path)
secret = click.Path(exists=True, dir_okay=False, path_type=Path)
zone_url = "irods://user@host:1247/zone/home/user/path"


class DirectoryInUse(ConfigurationError):
    """Another demo works in this directory: wait for it, or give this one another --directory."""

    reason = "directory_in_use"


@click.command()
@click.option("--data", type=folder, metavar="DIR", help="Carry the files of this folder; it is only read.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where everything lies. Default: one below .b2stream/demo for each DIR, which a second run goes on with.",
)
@click.option("--fresh", is_flag=True, help="Begin anew: remove what an earlier demo left in the directory.")
@click.option("--kafka", metavar="HOST:PORT", help="Use this Kafka; its listener must be one without TLS and password.")
@click.option("--redis", metavar="URL", help="Use this Redis: redis://HOST:PORT/0")
@click.option("--first", metavar="URL", help=f"Use this iRODS zone as first centre: {zone_url}")
@click.option("--second", metavar="URL", help="Use this iRODS zone as second centre.")
@click.option(
    "--first-password-file", type=secret, help="The password for --first (or B2STREAM_FIRST_PASSWORD, or iinit)."
)
@click.option("--second-password-file", type=secret, help="The password for --second.")
@handle_options
@click.option("--community", default="icos", show_default=True, help="Prefix of the topics.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Of the simulated stations.")
@click.option(
    "--size", type=click.Choice(["tiny", "small"]), default="small", show_default=True, help="Of what is simulated."
)
@click.option("--no-faults", is_flag=True, help="Break nothing on the way.")
@click.option("--amnesia", is_flag=True, help="Wipe Kafka at the end, and rebuild from the archive.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output; progress on standard error."
)
@click.pass_context
def demo(
    context: click.Context,
    /,
    data: Path | None,
    directory: Path | None,
    fresh: bool,
    community: str,
    seed: int,
    size: str,
    no_faults: bool,
    amnesia: bool,
    keep: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Carry station files through the whole chain, break it on the way, and let an independent check compare both centres with the files.

    Without --data a handful of simulated stations write the files. Exit codes: 0 every file is whole, once, at both centres; 1 it
    is not, or the demo failed; 4 wrong configuration; 130 interrupted.
    """
    place = (directory or _default_directory(data)).absolute()
    progress_out = sys.stderr if as_json else sys.stdout

    def make_feed(folders: Path, ledger: Ledger) -> Feed:
        return from_folder(data, folders, ledger) if data else simulated(folders, ledger, seed, size)

    with _quick_end(), _alone(place):
        simulated_anew = directory is None and data is None
        _make_room(place, fresh=fresh or simulated_anew, keep_keys=simulated_anew and bool(given["first"]))
        choices = Choices(place, Given(**given), community, not no_faults, amnesia, keep, as_json)
        outcome = run(choices, make_feed, sys.stdout, progress_out)
        if as_json:
            print_line(sys.stdout, json.dumps(asdict(outcome), indent=2, ensure_ascii=False))
    context.exit(0 if outcome.good else 1)


def _default_directory(data: Path | None) -> Path:
    """Simulated stations begin anew each time; the files of one folder always meet the same archive."""
    if data is None:
        return BASE / SIMULATED
    whole = data.resolve()
    return BASE / f"{whole.name}-{hashlib.sha256(os.fsencode(whole)).hexdigest()[:8]}"


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUse(str(directory)) from None
        yield


def _make_room(directory: Path, *, fresh: bool, keep_keys: bool) -> None:
    """Stop what an earlier demo kept running there; remove what it left, if it was a demo that left it.

    Keys are kept where the archive outlives the directory: what the stations signed there stays theirs.
    """
    if read_parts(directory) and stop_recorded(directory):
        click.echo(f"an earlier demo was still running in {directory}; it is stopped", err=True)
    if not fresh or not any(directory.iterdir()):
        return
    if not (directory / FILE_NAME).exists() and not read_parts(directory):
        raise ConfigurationError(f"--fresh: {directory} is not empty and no demo made it; remove it yourself")
    if not keep_keys:
        shutil.rmtree(directory)
        directory.mkdir()
        return
    (directory / FILE_NAME).write_text("", encoding="utf-8")  # the directory stays known as a demo's
    for path in [path for path in directory.iterdir() if path.name not in (KEYS, FILE_NAME)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextlib.contextmanager
def _quick_end() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal all end the demo the same way: nothing stays running.

    The first interrupts the work; while everything is being stopped, further ones change nothing.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        interruption.ask()
        click.echo("\nstopping everything …", err=True)
        raise KeyboardInterrupt

    interruption.forget()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)  # still deaf to more of them: what is left to do is to end
    for number, handler in before.items():
        signal.signal(number, handler)
