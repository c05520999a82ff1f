"""Where a group stands against what the log holds: checked by our own code, because aiokafka resets without a word.

`b2stream offsets show` prints it, `b2stream offsets accept` records a loss that someone has accepted and goes on.
"""

import getpass
import json
from collections.abc import Iterable
from dataclasses import dataclass

import click

from b2stream.contracts import schemas, topics
from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import OffsetsAccepted
from b2stream.errors import ConfigurationError, LostOffsets
from b2stream.kafka import LogRange, Producer
from b2stream.kafka.admin import Admin
from b2stream.registry import framing_from
from b2stream.settings import Settings, load


@dataclass(frozen=True, slots=True)
class Standing:
    """A group on one partition: `committed` is None where it has no offset."""

    partition: int
    committed: int | None
    held: LogRange

    @property
    def start(self) -> int:
        """Where reading begins."""
        return self.held.start if self.committed is None else self.committed

    @property
    def is_lost(self) -> bool:
        """Whether the log does not hold what comes next."""
        return self.committed is not None and not self.held.start <= self.committed <= self.held.end


def standings(admin: Admin, group: str, topic: str, partitions: int) -> list[Standing]:
    """Where the group stands on each partition."""
    committed = admin.committed(group, topic, partitions)
    ranges = admin.ranges(topic, partitions)
    return [Standing(number, committed.get(number), ranges[number]) for number in range(partitions)]


def check(group: str, topic: str, found: Iterable[Standing]) -> None:
    """Raise LostOffsets, naming the range, where the log does not hold what comes next."""
    for standing in found:
        if standing.is_lost:
            raise LostOffsets(
                f"group {group} stands at {standing.committed} of {topic}[{standing.partition}], "
                f"the log holds {standing.held.start} to {standing.held.end}"
            )


def group_name(settings: Settings, topic_id: str) -> str:
    """Name of the processor's group: it contains the topic id, so that a topic made anew is never read with old offsets."""
    return f"{settings.processor.group}-{topic_id}"


@click.group()
def offsets() -> None:
    """Show a group's offsets, or accept a loss."""


@offsets.command()
@click.option("--config", "file", type=click.Path(), help="TOML file with the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def show(file: str | None, as_json: bool) -> None:
    """Print where the processors' group stands on each partition; exit 1 where something is lost."""
    group, topic, found = _standings(load(file).settings)
    if as_json:
        rows = [
            {
                "partition": each.partition,
                "committed": each.committed,
                "log_start": each.held.start,
                "log_end": each.held.end,
                "lost": each.is_lost,
            }
            for each in found
        ]
        click.echo(json.dumps({"group": group, "topic": topic, "partitions": rows}, indent=2))
    else:
        click.echo(f"group {group} on {topic}")
        for each in found:
            stands = "nowhere yet" if each.committed is None else str(each.committed)
            mark = "  LOST" if each.is_lost else ""
            click.echo(f"  partition {each.partition}: at {stands}, log {each.held.start} to {each.held.end}{mark}")
    check(group, topic, found)


@offsets.command()
@click.option("--config", "file", type=click.Path(), help="TOML file with the settings.")
@click.option("--why", required=True, help="The reason; it is recorded for ever.")
@click.option("--who", default=getpass.getuser, help="Who accepts it; default: the user's name.")
def accept(file: str | None, why: str, who: str) -> None:
    """Go on where the log begins, and record on the events topic what was lost. Stop all processors first."""
    settings = load(file).settings
    group, topic, found = _standings(settings)
    lost = [each for each in found if each.is_lost]
    if not lost:
        raise ConfigurationError("nothing is lost: every committed offset lies in the log")
    producer = Producer(settings.kafka, "b2stream-offsets")
    admin = Admin(settings.kafka)
    for each in lost:
        assert each.committed is not None
        record = OffsetsAccepted(
            group=group,
            topic_id=group.removeprefix(f"{settings.processor.group}-"),
            partition=each.partition,
            first_lost=min(each.committed, each.held.start),
            next=each.held.start,
            who=who,
            why=why,
        )
        headers = event_headers(record.SCHEMA, f"{group}/{each.partition}/{each.committed}", group, source="offsets")
        value = framing_from(settings).frame(schemas.current(record.SCHEMA), record.to_body())
        events = topics.EVENTS.full_name(settings.general.community)
        producer.publish(
            events, partition_of(group, settings.kafka.partitions), group.encode(), value, headers
        ).result()
        admin.set_committed(group, topic, {each.partition: each.held.start})
        click.echo(f"partition {each.partition}: {each.committed} to {each.held.start} accepted as lost")
    producer.close()


def _standings(settings: Settings) -> tuple[str, str, list[Standing]]:
    admin = Admin(settings.kafka)
    topic = topics.MEASUREMENTS.full_name(settings.general.community)
    facts = admin.topic(topic)
    group = group_name(settings, facts.topic_id)
    return group, topic, standings(admin, group, topic, facts.partitions)
