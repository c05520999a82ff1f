"""`b2stream topics create | check`: the table of `contracts/topics.py` against the cluster."""

import json
import logging

import click

from b2stream.contracts import topics as contract
from b2stream.errors import ConfigurationError, Refused
from b2stream.kafka.admin import Admin
from b2stream.kafka.agreement import wrong_partitions
from b2stream.settings import Settings, load

_log = logging.getLogger(__name__)

_MINUTE_MS = 60_000
_OFFSETS_MINUTES = 43_200  # 30 days, as the sandbox and docker-compose.yml have it; Kafka's own default is a week
_ROOM = {"max.message.bytes"}  # settings where more than the contract asks for is fine


@click.group()
def topics() -> None:
    """Create or check the topics."""


@topics.command()
@click.option("--config", "file", type=click.Path(), help="TOML file with the settings.")
def create(file: str | None) -> None:
    """Create the topics that are missing; those that are there are checked."""
    settings = load(file).settings
    admin = Admin(settings.kafka)
    durable = {contract.IN_SYNC: str(contract.least_in_sync(settings.kafka.replication))}
    for topic in contract.ALL:
        name = topic.full_name(settings.general.community)
        config = topic.config() | durable
        made = admin.create_topic(name, settings.kafka.partitions, settings.kafka.replication, config)
        click.echo(f"{name}: {'created' if made else 'is there'}")
    _stop_at(findings(settings, admin))


@topics.command()
@click.option("--config", "file", type=click.Path(), help="TOML file with the settings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check(file: str | None, as_json: bool) -> None:
    """Compare partitions and settings of each topic with the contract; exit 4 where they differ."""
    settings = load(file).settings
    found = findings(settings)
    if as_json:
        click.echo(json.dumps({"findings": found}, indent=2))
    _stop_at(found)
    if not as_json:
        click.echo("all topics are as the contract says")


def findings(settings: Settings, admin: Admin | None = None) -> list[str]:
    """What differs between cluster and contract, a sentence each."""
    admin = admin or Admin(settings.kafka)
    found = []
    for topic in contract.ALL:
        name = topic.full_name(settings.general.community)
        try:
            facts = admin.topic(name)
        except ConfigurationError:
            found.append(f"{name} is not there")
            continue
        if wrong := wrong_partitions(name, facts, settings.kafka.partitions):
            found.append(wrong)
        for key, wanted in topic.config().items():
            is_there = facts.config.get(key)
            enough = key in _ROOM and is_there is not None and int(is_there) >= int(wanted)
            if is_there != wanted and not enough:
                cure = _cure(settings, name, key, wanted)
                found.append(f"{name} has {key}={is_there}, the contract says {wanted}: {cure}")
        in_sync = int(facts.config.get(contract.IN_SYNC) or 1)
        least = contract.least_in_sync(settings.kafka.replication)
        if in_sync < least:
            found.append(
                f"{name} has {contract.IN_SYNC}={in_sync}, with kafka.replication={settings.kafka.replication} "
                f"it must be {least}: {_cure(settings, name, contract.IN_SYNC, str(least))}"
            )
    kept_ms = _offsets_retention_ms(admin)
    if kept_ms is not None and kept_ms <= contract.MEASUREMENTS_RETENTION_MS:
        found.append(
            f"the brokers keep a group's offsets for {kept_ms // _MINUTE_MS} minutes (offsets.retention.minutes): a program "
            f"that stands still must find them for longer than {contract.MEASUREMENTS_RETENTION_MS // _MINUTE_MS}: put "
            f"`offsets.retention.minutes={_OFFSETS_MINUTES}` into server.properties of every broker and restart it (no command "
            "sets it at runtime), then try again; the topics are there"
        )
    return found


def _cure(settings: Settings, name: str, key: str, value: str) -> str:
    """The command that sets it. Not done here: a topic that is there is its administrators', and a shorter retention deletes."""
    login = " --command-config FILE" if settings.kafka.security_protocol != "PLAINTEXT" else ""
    at = f"--bootstrap-server {settings.kafka.bootstrap}{login}"
    return f"`kafka-configs.sh {at} --alter --entity-type topics --entity-name {name} --add-config {key}={value}`"


def _offsets_retention_ms(admin: Admin) -> int | None:
    try:
        return admin.offsets_retention_ms()
    except Refused:  # a hosted Kafka may keep its brokers' settings to itself
        _log.warning("the brokers do not tell offsets.retention.minutes: see to it that it exceeds the retention")
        return None


def _stop_at(found: list[str]) -> None:
    if found:
        raise ConfigurationError("; ".join(found))
