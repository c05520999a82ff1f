"""Every setting, typed and documented; the environment wins over the TOML file, the TOML file over the default.

`[section] key` of the file is `B2STREAM_SECTION_KEY` in the environment. Passwords never stand in a setting: they come from the file that
`password_file` names, from `B2STREAM_FIRST_PASSWORD` and `B2STREAM_SECOND_PASSWORD`, or from iRODS's own files.
`b2stream config show` prints each value and where it came from.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from b2stream.errors import ConfigurationError

ENVIRONMENT_PREFIX = "B2STREAM"
FILE_VARIABLE = "B2STREAM_CONFIG"
DEFAULT_FILE = "b2stream.toml"
_PASSWORD_IN_URL = re.compile(r"(://[^/@:\s]*):[^/\s]*@")
# Kubernetes puts an address of each service into every container: a service b2stream-gateway gives B2STREAM_GATEWAY_PORT.
_SERVICE_LINK = re.compile(r"_(SERVICE_(HOST|PORT)\w*|PORT(_\d+_(TCP|UDP)\w*)?)$")


class Section(BaseModel):
    """What all sections share: unknown keys are refused, because a misspelt setting must not pass unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class General(Section):
    community: str = Field("icos", pattern=r"^[a-z][a-z0-9-]{0,30}$", description="Prefix of topics, name of AVUs.")
    log_format: str = Field("text", pattern="^(text|json)$", description="How log lines are written: text or json.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")


class Kafka(Section):
    bootstrap: str = Field("127.0.0.1:9092", description="Addresses of Kafka brokers, host:port, separated by commas.")
    partitions: int = Field(
        12, ge=1, le=10_000, description="Partitions of every topic: part of the contract; growing means a new topic."
    )
    replication: int = Field(1, ge=1, le=9, description="Replicas of every topic; 3 in production.")
    registry_url: str = Field(
        "", description="Schema registry with Confluent's API; empty: no registry is needed or asked."
    )


class Redis(Section):
    url: str = Field(
        "", description="Redis for live status, e.g. redis://127.0.0.1:6379/0; empty: none. Nothing depends on it."
    )


class Centre(Section):
    name: str = Field("", pattern=r"^[a-z0-9-]{0,30}$", description="Name of the centre in events, e.g. csc.")
    url: str = Field("", description="irods://user@host:1247/zone/home/user/path, the root of the archive.")
    password_file: str = Field("", description="File that holds the password, nothing else.")
    staging_root: str = Field(
        "", description="Collection for staging; empty: <root>/.staging. Elsewhere where rules act on each put."
    )
    prefix: str = Field("", description="The centre's own handle prefix, e.g. 21.T12345; empty: no PIDs.")
    timeout_s: float = Field(120.0, gt=0, description="How long an answer may take, seconds; large files get more.")


class Gateway(Section):
    station: str = Field("", description="Id of the station, e.g. SE-Htm.")
    watch: str = Field("", description="Folder whose files are published.")
    journal: str = Field(
        "", description="SQLite file that remembers cuts, attempts and receipts; empty: below watch in .b2stream/."
    )
    utc_offset_h: float | None = Field(
        None, ge=-12, le=14, description="The station's standard time, hours ahead of UTC."
    )
    settle_s: float = Field(
        5.0, ge=0, description="A file unchanged for so many seconds is complete; a rename into the folder is at once."
    )
    scan_s: float = Field(2.0, gt=0, le=3_600, description="How often the folder is looked at, seconds.")
    shout_after_s: float = Field(
        3_600.0,
        gt=0,
        description="A file without a commit event for so long is warned about (never resent for it), seconds.",
    )
    block_bytes: int = Field(262_144, ge=4_096, le=900_000, description="Size that a block aims at, bytes.")
    window_s: int = Field(1_800, ge=60, le=86_400, description="Length of a summary window, seconds, aligned to UTC.")


class Processor(Section):
    group: str = Field("processor", description="Name of the consumer group; the topic id is added to it.")
    spool_directory: str = Field("", description="Folder for blocks of open attempts; empty: a temporary one.")
    spool_bytes: int = Field(
        8 << 30, ge=1 << 20, description="Most bytes in the spool; beyond it the largest open attempt is evicted."
    )
    commits_in_flight: int = Field(
        8, ge=1, le=64, description="Commits that overlap; each has its own iRODS connection."
    )
    silence_s: float = Field(
        900.0, gt=0, description="T: an attempt silent for so long at the end of the log is abandoned, seconds."
    )
    overtake_s: float = Field(
        600.0, gt=0, description="A stuck batch is overtaken by later ones of its series after so long, seconds."
    )
    grace_s: float = Field(20.0, gt=0, description="After SIGTERM, time for commits in flight, seconds.")
    closed_limit: int = Field(200, ge=1, description="Closed, unannounced attempts at which reading pauses.")


class Replicator(Section):
    group: str = Field("replicator", description="Name of the consumer group; the topic id is added to it.")
    copies_in_flight: int = Field(
        4, ge=1, le=64, description="Copies that overlap; each has its own connection to both centres."
    )
    grace_s: float = Field(20.0, gt=0, description="After SIGTERM, time for copies in flight, seconds.")


class Monitoring(Section):
    host: str = Field(
        "127.0.0.1", description="Address that /metrics, /healthz and /readyz listen on; 0.0.0.0 in a container."
    )
    port: int = Field(0, ge=0, le=65_535, description="Their port; 0: none.")


class Settings(Section):
    """All settings, by section; `origins` says where each came from."""

    general: General = General()  # type: ignore[call-arg]  # pydantic's plugin is not used: every field has a default
    kafka: Kafka = Kafka()  # type: ignore[call-arg]
    redis: Redis = Redis()  # type: ignore[call-arg]
    first: Centre = Centre()  # type: ignore[call-arg]
    second: Centre = Centre()  # type: ignore[call-arg]
    gateway: Gateway = Gateway()  # type: ignore[call-arg]
    processor: Processor = Processor()  # type: ignore[call-arg]
    replicator: Replicator = Replicator()  # type: ignore[call-arg]
    monitoring: Monitoring = Monitoring()  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting for `config show`."""

    section: str
    key: str
    value: Any
    origin: str
    about: str

    @property
    def variable(self) -> str:
        return variable(self.section, self.key)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where each came from: `default`, the file's path, or the variable's name."""

    settings: Settings
    origins: Mapping[tuple[str, str], str]

    def rows(self) -> Iterator[Setting]:
        """Every setting, in order; a password in an address is not shown."""
        for section, model in sections():
            for key, declared in model.model_fields.items():
                value = _without_password(getattr(getattr(self.settings, section), key))
                origin = self.origins.get((section, key), "default")
                yield Setting(section, key, value, origin, declared.description or "")


def sections() -> Iterator[tuple[str, type[Section]]]:
    """Names and types of all sections."""
    for name, declared in Settings.model_fields.items():
        section = declared.annotation
        assert isinstance(section, type)
        assert issubclass(section, Section)
        yield name, section


def variable(section: str, key: str) -> str:
    """Name of a setting in the environment."""
    return f"{ENVIRONMENT_PREFIX}_{section}_{key}".upper()


def load(
    file: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[tuple[str, str], Any] | None = None,
) -> Loaded:
    """Read the settings. `overrides` are options of the command line. Raises ConfigurationError, naming setting and origin."""
    environment = os.environ if environment is None else environment
    path = Path(file or environment.get(FILE_VARIABLE) or DEFAULT_FILE)
    named = bool(file or environment.get(FILE_VARIABLE))
    values: dict[str, dict[str, Any]] = {}
    origins: dict[tuple[str, str], str] = {}
    for section, key, value in _from_file(path, required=named):
        values.setdefault(section, {})[key] = value
        origins[section, key] = str(path)
    for section, model in sections():
        for key in model.model_fields:
            name = variable(section, key)
            if name in environment:
                values.setdefault(section, {})[key] = environment[name]
                origins[section, key] = name
    _refuse_unknown_variables(environment)
    for (section, key), value in (overrides or {}).items():
        if value is not None:
            values.setdefault(section, {})[key] = value
            origins[section, key] = "command line"
    return Loaded(_validated(values, origins), origins)


def _from_file(path: Path, *, required: bool) -> Iterator[tuple[str, str, Any]]:
    if not path.is_file():
        if required:
            raise ConfigurationError(f"the file {path} is not there")
        return
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    for section, table in content.items():
        if not isinstance(table, dict):
            raise ConfigurationError(f"{path}: `{section}` stands outside a [section]")
        if section not in Settings.model_fields:
            raise ConfigurationError(
                f"{path}: there is no section [{section}]{_did_you_mean(section, Settings.model_fields)}"
            )
        for key, value in table.items():
            yield section, key, value


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """A misspelt variable of a section must not pass unnoticed either."""
    known = {variable(section, key) for section, model in sections() for key in model.model_fields}
    for name in sorted(environment.keys() - known):
        section = name.removeprefix(f"{ENVIRONMENT_PREFIX}_").partition("_")[0].lower()
        if not name.startswith(f"{ENVIRONMENT_PREFIX}_") or section not in Settings.model_fields:
            continue
        if not name.endswith("_PASSWORD") and _SERVICE_LINK.search(name) is None:
            raise ConfigurationError(f"{name} from the environment names no setting{_did_you_mean(name, known)}")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def _without_password(value: Any) -> Any:
    return _PASSWORD_IN_URL.sub(r"\1:***@", value) if isinstance(value, str) else value


def _validated(values: dict[str, dict[str, Any]], origins: Mapping[tuple[str, str], str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        origin = origins.get((place[0], place[1] if len(place) > 1 else ""), "the command line")
        raise ConfigurationError(f"{'.'.join(place)} from {origin}: {first['msg']}") from error
