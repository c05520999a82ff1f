"""Where passwords come from: a file or the environment, never a setting.

A setting `password_file` of a section means that the environment may hold the password itself: `[kafka] password_file` or
`B2STREAM_KAFKA_PASSWORD`, `registry_password_file` or `B2STREAM_KAFKA_REGISTRY_PASSWORD`. The file wins.
"""

import logging
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from b2stream.errors import ConfigurationError
from b2stream.settings.sections import sections, variable

_log = logging.getLogger(__name__)

_FILE = "_file"
_IN_URL = re.compile(r"(://[^/@:\s]*):[^/\s]*@")
_IN_QUERY = re.compile(r"([?&]password=)[^&\s#]*")


def password_of(
    section: str, password_file: str, name: str = "password", environment: Mapping[str, str] = os.environ
) -> str | None:
    """The password called `name` of a section; None where there is none. Raises ConfigurationError for a file that holds none."""
    if password_file:
        path = Path(password_file).expanduser()
        warn_of(path, variable(section, name), environment)
        return read_password_file(path)
    return environment.get(variable(section, name)) or None


def password_variables() -> Iterator[str]:
    """Every variable of the environment that may hold a password."""
    for section, model in sections():
        for key in model.model_fields:
            if key.endswith(f"password{_FILE}"):
                yield variable(section, key.removesuffix(_FILE))


def read_password_file(path: Path) -> str:
    """Its first line. Raises ConfigurationError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the password file {path} cannot be read: {type(error).__name__}") from error
    if not lines or not lines[0]:
        raise ConfigurationError(f"the password file {path} is empty")
    return lines[0]


def warn_of(path: Path, unused: str, environment: Mapping[str, str] = os.environ) -> None:
    """Say what the user of a password file should know: others may read it, or the variable `unused` holds a password as well."""
    _warn_if_others_read(path)
    if environment.get(unused):
        _log.warning("%s is not used: the password file %s comes first", unused, path)


def _warn_if_others_read(path: Path) -> None:
    """Say so where the file's mode lets other users read it.

    A file that is not ours is read through its group, as Kubernetes mounts a Secret: then its group is as it should be.
    """
    try:
        status = path.stat()
    except OSError:
        return  # reading it will say what is wrong
    if os.name != "posix":
        return
    others = stat.S_IRWXO | (stat.S_IRWXG if status.st_uid == os.geteuid() else 0)
    if status.st_mode & others:
        _log.warning("others on this machine can read the password file %s: chmod 600 it", path)


def without_password(text: str) -> str:
    """An address as it may be shown: a password in it is three asterisks."""
    return _IN_QUERY.sub(r"\1***", _IN_URL.sub(r"\1:***@", text))
