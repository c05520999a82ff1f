"""`b2stream verify`: one line per check; exit 0 where all are good."""

import json
import sys
from pathlib import Path

import click

from b2stream.contracts.framing import Framing
from b2stream.errors import ConfigurationError
from b2stream.logs import configure
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.gathering.origins import known_stations
from b2stream.programs.audit.unanswered import exit_where_nobody_answers
from b2stream.programs.audit.verify.checks import Check, exit_code
from b2stream.programs.audit.verify.registered import Registered
from b2stream.programs.audit.verify.subjects import Subject, find_subject
from b2stream.programs.audit.verify.verifying import Verifier, verify_offline
from b2stream.registry import framing_from
from b2stream.settings import Settings, load


@click.command()
@click.argument("what")
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
@click.option("--centre", default="", help="Only this centre; else both.")
@click.option("--offline", is_flag=True, help="WHAT is a downloaded file; nothing is asked over a network.")
@click.option(
    "--manifest", type=click.Path(path_type=Path), help="With --offline: its manifest; else WHAT.manifest.json."
)
@click.option("--key", help="With --offline: the station's public key, base64, or a file that holds it.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def verify(
    what: str, file: str | None, centre: str, offline: bool, manifest: Path | None, key: str | None, as_json: bool
) -> None:
    """Fetch a data object, recompute it, and compare it with everything that speaks of it.

    WHAT is a PID, a path below the root of the archive, a batch id (8 digits or more), or with --offline a file.
    A line "left out" names what there was nothing to compare with; it is no finding.

    Exit codes: 0 all good, 1 a finding, 3 Kafka, a centre or the Handle server does not answer, or refuses the
    credentials, 4 wrong configuration.
    """
    checks = _offline(Path(what), manifest, key) if offline else _online(what, load(file).settings, centre)
    if as_json:
        click.echo(json.dumps({"what": what, "checks": [check.to_json() for check in checks]}, indent=2))
    else:
        click.echo("\n".join(check.line() for check in checks))
    sys.exit(exit_code(checks))


def _offline(file: Path, manifest: Path | None, key: str | None) -> list[Check]:
    beside = manifest or file.with_name(file.name + ".manifest.json")
    for needed in (file, beside):
        if not needed.is_file():
            raise ConfigurationError(f"{needed} is not there")
    if key is not None and Path(key).is_file():
        key = Path(key).read_text(encoding="utf-8").strip()
    return list(verify_offline(file, beside, key))


def _online(what: str, settings: Settings, centre: str) -> list[Check]:
    configure(settings.general.log_format, "warning")
    with exit_where_nobody_answers():
        framing = framing_from(settings)
        return _checks(find_subject(what, settings, framing), settings, framing, centre)


def _checks(subject: Subject, settings: Settings, framing: Framing, centre: str) -> list[Check]:
    stores = open_centres(settings, centre)
    stations, accept = known_stations(settings, framing), settings.processor.unsigned == "accept"
    try:
        second = settings.second.name or "second"
        verifier = Verifier(stores, stations, accept_unsigned=accept, registered=Registered.of(settings), second=second)
        return list(verifier.verify(subject))
    finally:
        for store in stores:
            store.close()
