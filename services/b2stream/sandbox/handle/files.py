"""The Handle server's files: all that its own set-up would ask for, written down, so that it asks nothing and contacts nobody.

It homes the given prefixes, and is its own registry: without both entries of `bootstrap_handles` it would look for the public one.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from b2stream.sandbox.handle.keys import new_server_key
from b2stream.sandbox.ports import LOOPBACK
from b2stream.sandbox.records import write_private

CERTIFICATE_FILE = "serverCertificate.pem"
BOOTSTRAP_FILE = "bootstrap.json"
USER_INDEX = 300
_OWNERS_INDEX = 200
_ADMIN_INDEX = 100
_ALL = "111111111111"
_REGISTRY = "0.NA/0.NA"

_CONFIG = """\
{
"hdl_http_config" = { "bind_address" = "%(host)s" "bind_port" = "%(port)d" "log_accesses" = "no" }
"server_type" = "server"
"interfaces" = ( "hdl_http" )
"log_save_config" = { "log_save_interval" = "Never" }
"server_config" = {
  "server_admins" = ( "%(user)s" )
  "server_admin_full_access" = "no"
  "allow_na_admins" = "yes"
  "allow_recursion" = "no"
  "allow_list_hdls" = "yes"
  "auto_update_root_info" = "no"
  "template_ns_override" = "yes"
  "enable_txn_queue" = "no"
  "case_sensitive" = "no"
  "max_auth_time" = "60000"
  "max_session_time" = "86400000"
  "this_server_id" = "1"
  "auto_homed_prefixes" = ( %(homed)s )
}
}
"""
_RESOLVER_CONFIG = '{ "auto_update_root_info" = "no" "tcp_timeout" = "2000" "no_udp_resolution" = "yes" }\n'
_LOGGING = "handlers = java.util.logging.ConsoleHandler\n.level = SEVERE\n"


def user_handle(prefix: str) -> str:
    """The handle that holds the password."""
    return f"{prefix}/USER01"


def user_name(prefix: str) -> str:
    """Who logs in: the index of the password, and its handle."""
    return f"{USER_INDEX}:{user_handle(prefix)}"


def write_key(folder: Path) -> None:
    """Make the key and its certificate, once; clients trust the certificate as long as the folder is there."""
    if (folder / CERTIFICATE_FILE).exists():
        return
    key = new_server_key()
    (folder / "privkey.bin").touch(mode=0o600)
    (folder / "privkey.bin").write_bytes(key.private)
    (folder / "pubkey.bin").write_bytes(key.public)
    (folder / CERTIFICATE_FILE).write_bytes(key.certificate)


def write_settings(folder: Path, port: int, prefixes: Sequence[str]) -> None:
    """Everything that names the port; written at each start."""
    homed = " ".join(json.dumps(one) for one in _homed(prefixes))
    words = {"host": LOOPBACK, "port": port, "user": user_name(prefixes[0]), "homed": homed}
    (folder / "config.dct").write_text(_CONFIG % words)
    (folder / "logging.properties").write_text(_LOGGING)
    site = _site(folder, port)
    (folder / "siteinfo.json").write_text(json.dumps(site))
    resolver = folder / "resolver"
    resolver.mkdir(exist_ok=True)
    (resolver / "config.dct").write_text(_RESOLVER_CONFIG)
    root = _value(1, "HS_SITE", "site", site) | {"ttl": 86_400, "timestamp": "2020-01-01T00:00:00Z"}
    handles = {_REGISTRY: {"handle": _REGISTRY, "values": [root]}, "0.0/0.0": {"handle": "0.0/0.0", "values": []}}
    (resolver / "bootstrap_handles").write_text(json.dumps({"lastUpdate": 9_999_999_999_999, "handles": handles}))


def write_first_records(folder: Path, prefixes: Sequence[str], password: str) -> None:
    """What is loaded into the empty store: the user with its password, and each prefix with its owners."""
    user = user_handle(prefixes[0])
    records = {
        user: [
            _value(_ADMIN_INDEX, "HS_ADMIN", "admin", _administrator(f"0.NA/{prefixes[0]}", _OWNERS_INDEX)),
            _value(USER_INDEX, "HS_SECKEY", "string", password) | {"permissions": "1100"},
        ]
    }
    for prefix in prefixes:
        owners = [{"handle": user, "index": USER_INDEX}]
        records[f"0.NA/{prefix}"] = [
            _value(_ADMIN_INDEX, "HS_ADMIN", "admin", _administrator(f"0.NA/{prefix}", _OWNERS_INDEX)),
            _value(_OWNERS_INDEX, "HS_VLIST", "vlist", owners),
        ]
    handles = {handle: {"handle": handle, "values": values} for handle, values in records.items()}
    document = {"homedPrefixes": _homed(prefixes), "handleRecords": handles}
    write_private(folder / BOOTSTRAP_FILE, json.dumps(document))


def _homed(prefixes: Sequence[str]) -> list[str]:
    return [*(f"0.NA/{prefix}" for prefix in prefixes), _REGISTRY]


def _site(folder: Path, port: int) -> dict[str, Any]:
    key = base64.b64encode((folder / "pubkey.bin").read_bytes()).decode()
    interface = {"query": True, "admin": True, "protocol": "HTTP", "port": port}
    server = {
        "serverId": 1,
        "address": LOOPBACK,
        "publicKey": {"format": "base64", "value": key},
        "interfaces": [interface],
    }
    return {
        "version": 1,
        "protocolVersion": "2.10",
        "serialNumber": 1,
        "primarySite": True,
        "multiPrimary": False,
        "attributes": [{"name": "desc", "value": "sandbox"}],
        "servers": [server],
    }


def _value(index: int, kind: str, form: str, value: Any) -> dict[str, Any]:
    return {"index": index, "type": kind, "data": {"format": form, "value": value}}


def _administrator(handle: str, index: int) -> dict[str, Any]:
    return {"handle": handle, "index": index, "permissions": _ALL}
