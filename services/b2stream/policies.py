"""Policies: for each series whether it is taken, at which centres it lies, and how often each copy is checked.

One small file, versioned by its id and its hash. Every commit event names the policies under which the batch was archived; processor,
replicator, scrub and audit obey the file that they are given.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from b2stream.errors import ConfigurationError
from b2stream.settings import Settings

OWN_FILE = Path(__file__).with_name("policies.toml")


class Rule(BaseModel):
    """What is done with the series that fit `series`, a pattern of `station/series`.

    `centres` are the names of the centres that have a copy; None: the first, and with two copies the second, whatever they are called.
    Not to `ingest` a series says nothing of what was archived of it before: that is copied and checked as the other fields say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    series: str
    ingest: bool = True
    centres: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=2)
    copies: int = Field(default=2, ge=1, le=2)
    check_days: int = Field(default=365, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _as_many_copies_as_centres(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("centres"), list):
            return {"copies": len(given["centres"]), **given}
        return given

    @model_validator(mode="after")
    def _each_copy_has_its_centre(self) -> "Rule":
        if self.centres is not None and len(set(self.centres)) != self.copies:
            raise ValueError(f"copies = {self.copies}, and centres names {' and '.join(self.centres)}")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,60}$")
    rules: list[Rule] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Policies:
    """The rules of one file. `label` is how events name it: its id and the SHA-256 of its bytes."""

    id: str
    sha256: str
    rules: tuple[Rule, ...]

    @property
    def label(self) -> str:
        return f"{self.id} sha256:{self.sha256}"

    def rule(self, station: str, series: str) -> Rule:
        """The first rule that fits. Raises ConfigurationError where none does."""
        for rule in self.rules:
            if fnmatchcase(f"{station}/{series}", rule.series):
                return rule
        raise ConfigurationError(
            f'policies {self.id} say nothing of {station}/{series}: end with a rule for series = "*"'
        )

    def copies(self, station: str, series: str) -> int:
        """How many copies a batch of this series has, when all is done."""
        return self.rule(station, series).copies

    def takes(self, station: str, series: str) -> bool:
        """Whether new batches of this series are archived."""
        return self.rule(station, series).ingest

    def check_centres(self, first: str, second: str = "") -> None:
        """Whether the rules name the centres that there are. Raises ConfigurationError, which names rule and centre.

        Everything is committed at the `first`, so no rule can do without it. Without a `second` only that is known.
        """
        for rule in self.rules:
            for name in rule.centres or ():
                if name != first and second and name != second:
                    raise ConfigurationError(f"{self._of(rule)} names centre {name}; there are {first} and {second}")
            if rule.centres is not None and first not in rule.centres:
                named = " and ".join(rule.centres)
                raise ConfigurationError(
                    f"{self._of(rule)} names {named} and lacks {first}, the first centre, where everything is committed"
                )

    def _of(self, rule: Rule) -> str:
        return f'policies {self.id}: the rule for series = "{rule.series}"'


def read_policies(file: str | Path = "") -> Policies:
    """The policies of a file, or b2stream's own. Raises ConfigurationError, which names file and field."""
    path = Path(file) if file else OWN_FILE
    try:
        content = path.read_bytes()
        found = _File.model_validate(tomllib.loads(content.decode("utf-8")))
    except OSError as error:
        raise ConfigurationError(f"general.policies_file {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"general.policies_file {path}: {field}: {first['msg']}") from error
    except ValueError as error:  # not UTF-8, or no TOML: both say where
        raise ConfigurationError(f"general.policies_file {path}: {error}") from error
    if found.rules[-1].series != "*":
        raise ConfigurationError(
            f'general.policies_file {path}: the last rule is for series = "*", so that none is left out'
        )
    return Policies(found.id, hashlib.sha256(content).hexdigest(), tuple(found.rules))


def policies_of(settings: Settings) -> Policies:
    """The policies of a deployment. Raises ConfigurationError, also where they name a centre that the settings do not."""
    policies = read_policies(settings.general.policies_file)
    policies.check_centres(settings.first.name or "first", settings.second.name)
    return policies
