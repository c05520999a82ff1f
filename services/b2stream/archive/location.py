"""Where a centre is and how to get in: from its URL, a password file, the environment, and iRODS's own files.

`irods://user@host:1247/zone/home/user/path?tls=require&ca=/path/ca.pem&auth=pam_password`

- The user may carry a zone of its own, `user%23otherZone@host`. Port 1247 is the default; an IPv6 address stands in brackets.
- Parameters: `tls` (`require` or `refuse`), `ca` (file with the CA's certificate; without one the system's store counts), `verify`
  (`hostname`, `cert` or `none`), `auth` (`native` or `pam_password`, which makes TLS required), `resource`, `staging`.
- Without host or user both come from `irods_environment.json`; its other entries count where they speak of the same host and user.
- The password comes from the first of: the URL (with a warning: for tests), the password file, the environment variable
  `B2STREAM_FIRST_PASSWORD` or `B2STREAM_SECOND_PASSWORD`, `.irodsA`. It is read anew for each connection, so it may change.

`memory:` is a store in memory, `memory:NAME` one that the whole process shares by that name.
"""

import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import ObjectStore
from b2stream.errors import ConfigurationError
from b2stream.settings.passwords import warn_of

DEFAULT_PORT = 1247
DEFAULT_TIMEOUT_S = 120.0
STAGING = ".staging"

_log = logging.getLogger(__name__)
_PARAMETERS = {"tls", "ca", "verify", "auth", "resource", "staging"}
_CHOICES = {
    "tls": ("require", "refuse"),
    "verify": ("hostname", "cert", "none"),
    "auth": ("native", "pam_password"),
}


@dataclass(frozen=True, slots=True)
class Secret:
    """Where the password is; `repr` never shows one. Exactly one of these is set, or none (user `anonymous`)."""

    value: str | None = field(default=None, repr=False)
    file: Path | None = None
    variable: str | None = None
    irods_a: Path | None = None  # scrambled by iRODS for this user of this machine


@dataclass(frozen=True, slots=True)
class IrodsLocation:
    """A root collection at an iRODS zone. Paths are logical and absolute, without a slash at the end."""

    host: str
    port: int
    user: str
    user_zone: str
    zone: str
    root: str
    staging_root: str
    secret: Secret = field(default_factory=Secret)
    tls: bool = False
    ca_file: str | None = None
    verify: str = "hostname"
    auth: str = "native"
    resource: str | None = None

    @property
    def address(self) -> str:
        """`irods://host:port`, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"irods://{host}:{self.port}"

    def url(self, path: str) -> str:
        """Address of an object below the root. A `%` in a name is written `%25`, as in any URL."""
        return self.address + quote(f"{self.root}/{path}", safe="/~!$'()*,;:@=+")


def open_store(
    location: str,
    centre: str,
    *,
    role: str = "",
    password_file: str = "",
    staging_root: str = "",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    environment: Mapping[str, str] = os.environ,
) -> ObjectStore:
    """The store behind a URL. `role` is `first` or `second`, and names the variable that may hold the password.

    Nothing is connected yet. Raises ConfigurationError.
    """
    if location.startswith("memory:"):
        return _memory_store(location.removeprefix("memory:"), centre, timeout_s)
    from b2stream.archive.irods.store import IrodsStore  # a reader that never opens a centre need not load the client

    parsed = parse_location(
        location, role=role, password_file=password_file, staging_root=staging_root, environment=environment
    )
    return IrodsStore(parsed, centre, timeout_s=timeout_s)


def parse_location(
    location: str,
    *,
    role: str = "",
    password_file: str = "",
    staging_root: str = "",
    environment: Mapping[str, str] = os.environ,
) -> IrodsLocation:
    """Read a URL and what belongs to it. Raises ConfigurationError, whose text never shows a password."""
    try:
        parts = urlsplit(location)
        port, host = parts.port, parts.hostname or ""
        parameters = {
            key: values[-1] for key, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()
        }
    except ValueError as error:
        raise ConfigurationError("this is no URL like irods://user@host:1247/zone/home/user/path") from error
    shown = f"{parts.scheme}://{host}{parts.path}"
    if parts.scheme != "irods":
        raise ConfigurationError(f"{shown} is not an irods:// URL")
    _check_parameters(parameters, shown)
    irods = _irods_environment(environment)
    user, _, user_zone = unquote(parts.username or "").partition("#")
    host = host or irods.get("irods_host", "")
    if host == irods.get("irods_host"):
        user = user or irods.get("irods_user_name", "")
        port = port or int(irods.get("irods_port", DEFAULT_PORT))
    if host != irods.get("irods_host") or user != irods.get("irods_user_name"):
        irods = {}  # speaks of another account: neither its settings nor its password belong to this one
    root = _logical_path(parts.path, shown)
    zone = root.split("/")[1]
    if not host or not user:
        raise ConfigurationError(f"{shown} names no host or no user, and irods_environment.json does not either")
    secret = _secret(parts, role, password_file, environment, bool(irods), shown)
    auth = parameters.get("auth") or _scheme(irods.get("irods_authentication_scheme", "native"), secret)
    tls = parameters.get("tls", "require" if _wants_tls(irods, auth) else "refuse") == "require"
    if auth == "pam_password" and not tls:
        raise ConfigurationError(f"{shown}: auth=pam_password sends the password and needs tls=require")
    staging = parameters.get("staging") or staging_root
    return IrodsLocation(
        host=host,
        port=port or DEFAULT_PORT,
        user=user,
        user_zone=user_zone or irods.get("irods_zone_name") or zone,
        zone=zone,
        root=root,
        staging_root=_logical_path(staging, shown) if staging else f"{root}/{STAGING}",
        secret=secret,
        tls=tls,
        ca_file=parameters.get("ca") or irods.get("irods_ssl_ca_certificate_file"),
        verify=parameters.get("verify") or irods.get("irods_ssl_verify_server", "hostname"),
        auth=auth,
        resource=parameters.get("resource") or irods.get("irods_default_resource"),
    )


def _check_parameters(parameters: Mapping[str, str], shown: str) -> None:
    unknown = set(parameters) - _PARAMETERS
    if unknown:
        raise ConfigurationError(f"{shown}: unknown parameter {sorted(unknown)[0]!r}; known are {sorted(_PARAMETERS)}")
    for name, choices in _CHOICES.items():
        if name in parameters and parameters[name] not in choices:
            raise ConfigurationError(f"{shown}: {name} is one of {', '.join(choices)}")


def _logical_path(text: str, shown: str) -> str:
    path = "/" + unquote(text).strip("/")
    if path == "/" or any(part in ("", ".", "..") for part in path[1:].split("/")):
        raise ConfigurationError(f"{shown}: the path must be absolute, like /zone/home/user/path")
    return path


def _secret(
    parts: SplitResult,
    role: str,
    password_file: str,
    environment: Mapping[str, str],
    irods_a_is_for_us: bool,
    shown: str,
) -> Secret:
    if parts.password is not None:
        _log.warning("%s has a password in its URL: for tests only, others on this machine can see it", shown)
        return Secret(value=unquote(parts.password))
    variable = f"B2STREAM_{role.upper()}_PASSWORD"
    if password_file:
        path = Path(password_file).expanduser()
        warn_of(path, variable, environment)
        return Secret(file=path)
    if role and environment.get(variable):
        return Secret(variable=variable, value=environment[variable])
    if irods_a_is_for_us:
        return Secret(irods_a=_home_file(environment, "IRODS_AUTHENTICATION_FILE", ".irodsA"))
    return Secret()


def _home_file(environment: Mapping[str, str], variable: str, name: str) -> Path:
    given = environment.get(variable)
    return Path(given) if given else Path(environment.get("HOME", str(Path.home()))) / ".irods" / name


def _irods_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    path = _home_file(environment, "IRODS_ENVIRONMENT_FILE", "irods_environment.json")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} is not a JSON object")
    return content


def _scheme(text: str, secret: Secret) -> str:
    """The scheme that irods_environment.json names. With `.irodsA` any is welcome: what a login left there is for native."""
    scheme = {"native": "native", "pam": "pam_password", "pam_password": "pam_password"}.get(text.lower())
    if scheme is None and secret.irods_a is not None and secret.irods_a.is_file():
        return "native"
    if scheme is None:
        raise ConfigurationError(f"authentication scheme {text!r}: b2stream knows native and pam_password")
    return scheme


def _wants_tls(irods: Mapping[str, Any], auth: str) -> bool:
    """iRODS's third policy, CS_NEG_DONT_CARE, is unknown to python-irodsclient; it means TLS only where PAM needs it."""
    return irods.get("irods_client_server_policy") == "CS_NEG_REQUIRE" or auth == "pam_password"


_memory_stores: dict[str, MemoryStore] = {}
_memory_lock = threading.Lock()


def _memory_store(name: str, centre: str, timeout_s: float) -> MemoryStore:
    if not name:
        return MemoryStore(centre, reply_timeout_s=timeout_s)
    with _memory_lock:
        return _memory_stores.setdefault(name, MemoryStore(centre, reply_timeout_s=timeout_s))
