"""`b2stream station keygen | publish | list | show`: who may sign for a station, and what it measures."""

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click

from b2stream.contracts.envelopes import Headers
from b2stream.contracts.stations import StationDescription
from b2stream.errors import ConfigurationError
from b2stream.formats.registry import OPAQUE_SERIES
from b2stream.registry import framing_from
from b2stream.settings import Settings, load
from b2stream.stations.files import key_snippet, read_description
from b2stream.stations.known import KnownStations, check_changes
from b2stream.stations.known import publish as publish_descriptions
from b2stream.stations.reviewed import Reviewers, signature_headers

ANSWER_S = 60.0
EXIT_UNKNOWN = 1

_config = click.option("--config", "file", type=click.Path(), help="TOML file with the settings.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group()
def station() -> None:
    """Make keys for stations, and publish who may sign for them."""


@station.command()
@click.argument("key_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
def keygen(key_file: Path) -> None:
    """Make a key pair: the private key goes into FILE, which only you can read; the public one is printed for the station's TOML.

    FILE stays at the station (setting gateway.key_file). To exchange a key, publish the new one first, let the gateway use it, and
    then give the old one its valid_until. Exit codes: 0 done, 4 FILE is there already or cannot be written.
    """
    from b2stream.batches.signing import public_key_of  # only here: the other commands need no cryptography
    from b2stream.stations.keys import make_key

    public = public_key_of(make_key(key_file))
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)  # clocks may differ by hours
    click.echo(key_snippet(public, base64.b64encode(public).decode(), today))
    click.echo(f"# The private key is in {key_file}: let it never leave the station.", err=True)


@station.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--sign-with",
    "reviewer",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The reviewer's private key (`b2stream station keygen`), where general.reviewer_keys names its public key.",
)
@_config
def publish(files: tuple[Path, ...], reviewer: Path | None, file: str | None) -> None:
    """Publish descriptions of stations: one TOML file each, reviewed before. All are good, or none is published.

    Where a description lists series, batches of others are refused; where a series lists variables, so are other variables and
    units. `b2stream inspect FILE --description TOML` tells before. A key is never removed and its past never changes. With
    --sign-with each is published again, signed, also where it is published already. Exit codes: 0 done, 1 Kafka does not answer,
    4 a description is refused, or general.reviewer_keys asks for a signature.
    """
    read = [(str(path), read_description(path)) for path in files]
    settings = load(file).settings
    framing = framing_from(settings)
    stations = KnownStations.of(settings, framing, "b2stream-station")
    sign = _signing(settings, reviewer, stations)
    known = stations.load(ANSWER_S)
    check_changes(known, read, time.time_ns() // 1000)

    def is_new(description: StationDescription) -> bool:
        """Also where somebody else's lies on top of it in the topic, whose compaction would leave that one alone."""
        name = description.station
        return reviewer is not None or known.get(name) != description or name in stations.refused

    new = [description for _, description in read if is_new(description)]
    publish_descriptions(settings, framing, new, ANSWER_S, sign)
    for origin, description in read:
        done = "published" if description in new else "is published already"
        click.echo(f"{description.station}: {done} ({origin})")
        if description.series and description.one_series(OPAQUE_SERIES) is None:
            click.echo(
                f"{description.station}: series {OPAQUE_SERIES} is not listed: what no format can read will be refused",
                err=True,
            )


def _signing(settings: Settings, reviewer: Path | None, stations: KnownStations) -> Callable[[str, bytes], Headers]:
    """What signs a description. Raises ConfigurationError where nobody would believe it."""
    from b2stream.stations.keys import load_key

    reviewers = Reviewers.of(settings)
    if reviewer is None:
        if reviewers is not None:
            raise ConfigurationError(
                "general.reviewer_keys is set, so nobody believes what is not signed: say --sign-with"
            )
        return lambda fingerprint, body: []
    private = load_key(reviewer)
    if reviewers is not None and not reviewers.has(private):
        raise ConfigurationError(f"{reviewer}: its public key is not in general.reviewer_keys")

    def sign(fingerprint: str, body: bytes) -> Headers:
        # A clock that is behind the last reviewer's must not make it look like an old description that somebody sends again.
        return signature_headers(fingerprint, body, private, max(time.time_ns() // 1000, stations.signed_at_us + 1))

    return sign


@station.command(name="list")
@_config
@_json
def list_all(file: str | None, as_json: bool) -> None:
    """List the stations that are described. Exit codes: 0 done, 1 Kafka does not answer."""
    known = _known(file)
    in_order = [known[name] for name in sorted(known)]
    if as_json:
        click.echo(json.dumps({"stations": [each.to_json() for each in in_order]}, indent=2, ensure_ascii=False))
        return
    now_us = time.time_ns() // 1000
    for each in in_order:
        valid = sum(key.holds_at(now_us) for key in each.keys)
        keys = f"{valid} of {len(each.keys)} keys valid" if each.keys else "no key"
        click.echo(f"{each.station}  {each.name}, {each.theme}; {keys}; {len(each.series)} series")


@station.command()
@click.argument("station_id", metavar="ID")
@_config
@_json
@click.pass_context
def show(ctx: click.Context, station_id: str, file: str | None, as_json: bool) -> None:
    """Show one station. Exit codes: 0 done, 1 it is not described, or Kafka does not answer."""
    found = _known(file).get(station_id)
    if found is None:
        click.echo(f"{station_id} is not described (`b2stream station publish` does that)", err=True)
        ctx.exit(EXIT_UNKNOWN)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(found)))


def _known(file: str | None) -> dict[str, StationDescription]:
    settings = load(file).settings
    return dict(KnownStations.of(settings, framing_from(settings), "b2stream-station").load(ANSWER_S))


def _lines(found: StationDescription) -> list[str]:
    now_us = time.time_ns() // 1000
    lines = [f"{found.station}: {found.name}, {found.theme}"]
    if found.position is not None:
        height = "" if found.position.elevation_m is None else f", {found.position.elevation_m:g} m"
        lines.append(f"position: {found.position.latitude} N, {found.position.longitude} E{height}")
    if found.utc_offset_h is not None:
        lines.append(f"standard time: UTC{found.utc_offset_h:+g} h")
    for key in found.keys:
        lines.append(f"key {key.id}: {key.period()}{'' if key.holds_at(now_us) else ' (does not hold now)'}")
    if not found.keys:
        lines.append("no key")
    for series in found.series:
        variables = ", ".join(f"{each.name} [{each.unit}]" if each.unit else each.name for each in series.variables)
        lines.append(f"series {series.id}, level {series.data_level}: {variables or 'variables are not described'}")
    return lines
