"""`b2stream evidence`: a year's bundle for an auditor of the archive."""

import json
import sys
from pathlib import Path

import click

from b2stream.contracts.stations import public_bytes
from b2stream.errors import ConfigurationError
from b2stream.logs import configure
from b2stream.policies import OWN_FILE
from b2stream.programs.audit.auditing import GRACE_S, Plan
from b2stream.programs.audit.cli import run
from b2stream.programs.audit.evidence.bundle import Year, write_bundle
from b2stream.programs.audit.evidence.checking import troubles
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.unanswered import exit_where_nobody_answers
from b2stream.programs.audit.verify.checks import EXIT_FINDING
from b2stream.registry import framing_from
from b2stream.settings import Settings, load
from b2stream.stations.keys import load_key


@click.command()
@click.option("--year", type=click.IntRange(1970, 9998), help="Calendar year, UTC.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Folder for the bundle; else evidence-YEAR.")
@click.option(
    "--key", type=click.Path(path_type=Path), help="Ed25519 key that signs the index (`b2stream station keygen`)."
)
@click.option("--unsigned", is_flag=True, help="Write a bundle that nobody signs: a later change cannot be told.")
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
@click.option("--recompute", is_flag=True, help="Let the centres read every object again.")
@click.option("--grace-s", default=GRACE_S, show_default=True, help="What is younger may still be on its way, seconds.")
@click.option(
    "--check", "bundle", type=click.Path(path_type=Path), help="Write nothing: check this bundle, without any server."
)
@click.option("--public-key", default="", help="With --check: the signer's, as `b2stream station keygen` printed it.")
@click.option("--json", "as_json", is_flag=True, help="With --check: print what is wrong as JSON.")
def evidence(
    year: int | None,
    folder: Path | None,
    key: Path | None,
    unsigned: bool,
    file: str | None,
    recompute: bool,
    grace_s: float,
    bundle: Path | None,
    public_key: str,
    as_json: bool,
) -> None:
    """Write what proves a year's archive: audit, fixity checks, counts, policies and software, with a signed index.

    It is signed with --key, or said to be --unsigned: a bundle without a signature proves nothing to whoever did not write it.
    With --check: whether a bundle is still what was signed. Exit codes: 0 written, and the audit found nothing, or the
    bundle is whole; 1 written, and it found something, or the bundle is not whole; 3 Kafka, a centre or the Handle server
    does not answer, or refuses the credentials, 4 wrong configuration.
    """
    if bundle is not None:
        sys.exit(_check(bundle, public_key, as_json))
    if year is None:
        raise click.UsageError("say --year, or --check and --public-key")
    if (key is None) is not unsigned:
        raise click.UsageError("say --key FILE, which signs the index, or --unsigned")
    settings = load(file).settings
    configure(settings.general.log_format, "warning")
    folder = folder or Path(f"evidence-{year}")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty: evidence is never written over")
    private = load_key(key) if key is not None else None
    with exit_where_nobody_answers():
        report = run(settings, Plan(recompute=recompute, grace_s=grace_s))
        told = _year(settings, year)
    policies = Path(settings.general.policies_file) if settings.general.policies_file else OWN_FILE
    for path in write_bundle(folder, told, report.to_json(), policies, private):
        click.echo(str(path))
    if private is None:
        click.echo("b2stream: the index is not signed: nobody can tell a later change", err=True)
    sys.exit(EXIT_FINDING if report.findings else 0)


def _check(bundle: Path, public_key: str, as_json: bool) -> int:
    """Print what is wrong with a bundle; the exit code."""
    public = public_bytes(public_key)
    if public is None:
        raise ConfigurationError("--public-key: not 32 bytes in base64; `b2stream station keygen` prints it")
    wrong = troubles(bundle, public)
    if as_json:
        click.echo(json.dumps({"bundle": str(bundle), "troubles": wrong}, indent=2))
    else:
        click.echo("\n".join(f"✗ {each}" for each in wrong) or f"✓ {bundle} is what was signed")
    return EXIT_FINDING if wrong else 0


def _year(settings: Settings, number: int) -> Year:
    """What the log says of a year. Raises Retryable."""
    year, log = Year(number), Log(settings, framing_from(settings))
    log.fix_ends()
    for commit in log.commits():
        year.committed(commit)
    for replica in log.replicas():
        year.replicated(replica)
    for event in log.object_events():
        year.told(event)
    return year
