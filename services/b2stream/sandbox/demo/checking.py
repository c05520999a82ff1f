"""Writes the plan for the independent check and runs it: a process of its own, in which no line of the pipeline is loaded."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from b2stream.archive.location import IrodsLocation, parse_location
from b2stream.contracts import schemas
from b2stream.contracts.stations import StationDescription
from b2stream.errors import Fatal
from b2stream.sandbox import processes
from b2stream.sandbox.demo import check
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import CENTRES
from b2stream.settings import load

CHECK_TIMEOUT_S = 3600.0
SEEN_FILE = "seen.json"


class CheckFailed(Fatal):
    """The independent check could not be made: read what it says here."""

    reason = "check_failed"


@dataclass(frozen=True)
class Verdict:
    """How the check ended, and what it printed (text or JSON)."""

    good: bool
    said: str


def write_plan(
    deployment: Deployment,
    sources: list[dict[str, Any]],
    began_s: float,
    stations: Sequence[StationDescription] = (),
) -> tuple[Path, dict[str, str]]:
    """Write the plan; returns the file and the variables that hold passwords which stand in no file."""
    passwords: dict[str, str] = {}
    schema_folder = deployment.directory / "schemas"
    schema_folder.mkdir(exist_ok=True)
    for code in schemas.released_fingerprints():
        (schema_folder / f"{code}.avsc").write_text(schemas.released(code).text, encoding="utf-8")
    plan = {
        "sources": sources,
        "kafka": {
            "bootstrap": deployment.addresses["kafka"],
            "community": deployment.community,
            "schemas": str(schema_folder),
            "shared": "kafka" not in deployment.servers,
        },
        "handle": _handle(deployment, passwords),
        "keys": {each.station: [asdict(key) for key in each.keys] for each in stations},
        "earlier": str(deployment.directory / SEEN_FILE),
        "began_s": began_s,
    }
    for centre in CENTRES:
        plan[centre.role] = _centre(deployment, centre.role, passwords)
    file = deployment.directory / "plan.json"
    file.write_text(json.dumps(plan, indent=1), encoding="utf-8")
    return file, passwords


def run(plan: Path, passwords: Mapping[str, str], *, as_json: bool) -> Verdict:
    """Run the check. Raises CheckFailed where it could not be made."""
    log_file = plan.with_name("check.txt")
    log_file.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", check.__name__.rpartition(".")[2], str(plan)]
    folder = Path(check.__path__[0]).parent
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment = {**inherited, **passwords, "PYTHONPATH": str(folder), "PYTHONUTF8": "1"}
    process = processes.start("check", command + (["--json"] if as_json else []), log_file, environment=environment)
    if not process.wait(CHECK_TIMEOUT_S):
        process.kill()
    said = log_file.read_text(encoding="utf-8")
    if process.exit_code not in (0, 1):
        raise CheckFailed(f"exit code {process.exit_code}: {said.strip()}")
    return Verdict(process.exit_code == 0, said)


def _centre(deployment: Deployment, role: str, passwords: dict[str, str]) -> dict[str, Any]:
    settings = getattr(load(deployment.settings_file, environment={}).settings, role)
    location = parse_location(
        settings.url, role=role, password_file=settings.password_file, staging_root=settings.staging_root
    )
    return {
        "name": settings.name,
        "root": location.root,
        "staging_root": location.staging_root,
        "account": _account(location),
        "password": _password(location, role, passwords),
        "ca_file": location.ca_file,
        "verify": location.verify if location.tls else None,
        "shared": role not in deployment.servers,
    }


def _handle(deployment: Deployment, passwords: dict[str, str]) -> dict[str, Any] | None:
    settings = load(deployment.settings_file, environment={}).settings
    if not settings.handle.url:
        return None
    password = {"file": settings.handle.password_file}
    if not settings.handle.password_file:
        password = {"variable": "B2STREAM_CHECK_HANDLE_PASSWORD"}
        passwords["B2STREAM_CHECK_HANDLE_PASSWORD"] = os.environ.get("B2STREAM_HANDLE_PASSWORD", "")
    return {
        "url": settings.handle.url,
        "prefix": settings.first.prefix,
        "user": settings.handle.user,
        "password": password,
        "ca_file": settings.handle.ca_file,
        # The registrar registers what is announced: on a Kafka that others use, more than lies here.
        "shared": not {"handle", "kafka"} <= deployment.servers.keys(),
    }


def _account(location: IrodsLocation) -> dict[str, Any]:
    account: dict[str, Any] = {
        "host": location.host,
        "port": location.port,
        "user": location.user,
        "zone": location.user_zone,
        "irods_authentication_scheme": location.auth,
    }
    if location.tls:
        account |= {
            "irods_client_server_negotiation": "request_server_negotiation",
            "irods_client_server_policy": "CS_NEG_REQUIRE",
            "irods_encryption_algorithm": "AES-256-CBC",
            "irods_encryption_key_size": 32,
            "irods_encryption_num_hash_rounds": 16,
            "irods_encryption_salt_size": 8,
        }
    return account


def _password(location: IrodsLocation, role: str, passwords: dict[str, str]) -> dict[str, str]:
    secret = location.secret
    if secret.file is not None:
        return {"file": str(secret.file)}
    if secret.irods_a is not None:
        return {"irods_a": str(secret.irods_a)}
    variable = f"B2STREAM_CHECK_{role.upper()}_PASSWORD"
    passwords[variable] = secret.value or ""
    return {"variable": variable}
