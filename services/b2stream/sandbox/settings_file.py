"""`b2stream.toml` of a sandbox: the settings with which every program finds its servers."""

from collections.abc import Mapping
from pathlib import Path

from b2stream.sandbox.given import CENTRES, Given
from b2stream.sandbox.handle import HandleServer
from b2stream.sandbox.records import password_file, write_private
from b2stream.sandbox.server import Server

SETTINGS_FILE = "b2stream.toml"

Sections = dict[str, dict[str, str]]


def sections(
    directory: Path,
    given: Given,
    addresses: Mapping[str, str],
    servers: Mapping[str, Server],
    *,
    community: str,
    unsigned: str,
    brokers: int,
) -> Sections:
    """The values by section and key. `addresses` is of every server, "" for one that is left out; `servers` are the sandbox's own."""
    replication = {"replication": str(brokers)} if brokers > 1 else {}
    found: Sections = {
        "general": {"community": community},
        "kafka": {"bootstrap": addresses["kafka"], **replication},
        "redis": {"url": addresses["redis"]},
        "processor": {"unsigned": unsigned},
    }
    for centre in CENTRES:
        users: Path | None = getattr(given, f"{centre.role}_password_file")
        found[centre.role] = {"name": centre.name, "url": addresses[centre.role]}
        if centre.role in servers:
            found[centre.role]["password_file"] = str(password_file(directory, centre.role))
        elif users:
            found[centre.role]["password_file"] = str(users.absolute())
    if addresses["handle"]:
        access, found["first"]["prefix"] = _handle_access(servers.get("handle"), given)
        found["handle"] = {"url": addresses["handle"], **access}
    return found


def _handle_access(server: Server | None, given: Given) -> tuple[dict[str, str], str]:
    """How to write at the Handle server, and the first centre's prefix there."""
    if isinstance(server, HandleServer):
        access = {"user": server.user, "password_file": str(server.password_file), "ca_file": str(server.ca_file)}
        return access, server.prefixes[0]
    access = {
        "user": given.handle_user,
        "password_file": str(given.handle_password_file.absolute()) if given.handle_password_file else "",
        "ca_file": str(given.handle_ca_file.absolute()) if given.handle_ca_file else "",
    }
    return {key: value for key, value in access.items() if value}, given.handle_prefix


def write(file: Path, values: Sections) -> None:
    """Write the file anew, readable by its owner alone: an address may hold a password."""
    lines = ["# Written by the sandbox at each start. Any program: b2stream PROGRAM with B2STREAM_CONFIG=<this file>"]
    for section, settings in values.items():
        lines += ["", f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in settings.items())]
    write_private(file, "\n".join(lines) + "\n")


def _toml(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
