"""The zone's command line. For laptops and tests only: it guards nothing, and says so when it starts."""

import argparse
import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path

from b2stream.sandbox.zone.people import read_passwords
from b2stream.sandbox.zone.server import Settings, ZoneServer


def main() -> int:
    """Run a zone until SIGTERM or Ctrl-C; prints one line of JSON when it is ready."""
    options = _parser().parse_args()
    # Each connection takes four descriptors: its socket and three files of SQLite.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    passwords = read_passwords(options.password_file.read_text(encoding="utf-8"), options.user)
    users = {name: passwords.get(name, passwords[options.user]) for name in (options.user, *options.second_user)}
    server = ZoneServer(Settings(options.directory, options.zone, users, options.port, options.resource))
    # A signal may interrupt any thread's work, so it only wakes a thread that stops the server.
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serving = threading.Thread(target=server.serve, name="accept")
    serving.start()
    _announce(options.directory, options.zone, server)
    stop.wait()
    server.stop()
    serving.join()
    return 0


def _announce(directory: Path, zone: str, server: ZoneServer) -> None:
    ready = {"port": server.port, "zone": zone, "control_port": server.control_port, "pid": os.getpid()}
    ready["note"] = "embedded iRODS zone, for laptops and tests only"
    line = json.dumps(ready)
    unfinished = directory / "zone.json.new"
    unfinished.write_text(line + "\n", encoding="utf-8")
    unfinished.rename(directory / "zone.json")
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m b2stream.sandbox.zone",
        description="An embedded iRODS zone on 127.0.0.1, for laptops and tests only.",
    )
    parser.add_argument("--directory", type=Path, required=True, help="where the catalogue and the files lie")
    parser.add_argument("--zone", required=True, help="the zone's name, e.g. cscZone")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--user", default="rods", help="the administrator")
    parser.add_argument(
        "--password-file",
        type=Path,
        required=True,
        help="first line: the administrator's password; further lines NAME:PASSWORD for other users",
    )
    parser.add_argument(
        "--second-user", action="append", default=[], metavar="NAME", help="an ordinary user; may be repeated"
    )
    parser.add_argument("--resource", default="demoResc", help="the name of the only resource")
    return parser


if __name__ == "__main__":
    sys.exit(main())
