"""Reading the settings: the environment wins over the TOML file, the TOML file over the default."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from b2stream.errors import ConfigurationError
from b2stream.settings.passwords import password_variables, without_password
from b2stream.settings.sections import ENVIRONMENT_PREFIX, Settings, sections, variable

FILE_VARIABLE = "B2STREAM_CONFIG"
DEFAULT_FILE = "b2stream.toml"
# Kubernetes puts an address of each service into every container: a service b2stream-gateway gives B2STREAM_GATEWAY_PORT.
_SERVICE_LINK = re.compile(r"_(SERVICE_(HOST|PORT)\w*|PORT(_\d+_(TCP|UDP)\w*)?)$")


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
                value = _shown(getattr(getattr(self.settings, section), key))
                origin = self.origins.get((section, key), "default")
                yield Setting(section, key, value, origin, declared.description or "")


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
    known |= set(password_variables())
    for name in sorted(environment.keys() - known):
        section = name.removeprefix(f"{ENVIRONMENT_PREFIX}_").partition("_")[0].lower()
        if not name.startswith(f"{ENVIRONMENT_PREFIX}_") or section not in Settings.model_fields:
            continue
        if _SERVICE_LINK.search(name) is None:
            raise ConfigurationError(f"{name} from the environment names no setting{_did_you_mean(name, known)}")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def _shown(value: Any) -> Any:
    return without_password(value) if isinstance(value, str) else value


def _validated(values: dict[str, dict[str, Any]], origins: Mapping[tuple[str, str], str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        origin = origins.get((place[0], place[1] if len(place) > 1 else ""), "the command line")
        raise ConfigurationError(f"{'.'.join(place)} from {origin}: {first['msg']}") from error
