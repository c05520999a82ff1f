"""How to look further, with commands that work as they are printed."""

import shlex

from b2stream.sandbox.demo.example import Example
from b2stream.sandbox.demo.feeding import FedStation
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.programs import typed_command
from b2stream.sandbox.vaults import vault_folder
from b2stream.settings import load


def lines(deployment: Deployment, stations: list[FedStation], example: Example, *, kept: bool) -> list[str]:
    """What to print; `example` is the data object that was verified."""
    command = typed_command()
    directory = shlex.quote(str(deployment.directory))
    config = shlex.quote(str(deployment.settings_file))
    text = ["How to look further", ""]
    if kept:
        text += [f"  It goes on running. End it:        {command} sandbox down --directory {directory}"]
    else:
        text += [f"  Start it again, archive and all:   {command} sandbox up --directory {directory}"]
        text += [f"  End it:                            {command} sandbox down --directory {directory}"]
    text += [f"  Then let every command find it:    export B2STREAM_CONFIG={config}", ""]
    text += ["  The commit events, as a subscriber sees them:"]
    text += [f"      {command} follow --from-beginning --timeout-s 5", ""]
    text += ["  What a station knows of its files:"]
    text += [f"      {command} gateway receipts --watch {shlex.quote(str(stations[0].folder))}", ""]
    text += ["  The measurements as a pandas frame, verified on the way (in the checkout: pip install '.[pandas]'):"]
    text += ["      import b2stream"]
    text += ["      batch = next(one for one in b2stream.follow(from_beginning=True) if one.event.rows)"]
    text += ["      print(b2stream.frame(batch))", ""]
    if example.pid:
        trusted = load(deployment.settings_file, environment={}).settings.handle.ca_file
        trust = f"--cacert {shlex.quote(trusted)} " if trusted else ""
        url = deployment.addresses["handle"]
        text += ["  Where a PID leads, and its record:"]
        text += [f"      curl -sS {trust}-o /dev/null -w '%{{redirect_url}}\\n' {url}/{example.pid}"]
        text += [f"      curl -sS {trust}{url}/api/handles/{example.pid}", ""]
    own = [role for role in ("first", "second") if role in deployment.servers]
    if own:
        text += ["  Where the files lie on this disk:"]
        text += [
            f"      {role:7} {vault_folder(deployment.directory, role, deployment.addresses[role])}" for role in own
        ]
        text += [""]
    if "second" in own:
        flip = f"{command} sandbox flip-byte {shlex.quote(example.path)} --centre second --directory {directory}"
        text += ["  Flip a byte in the vault of the second centre, see it found, and mended from the other one:"]
        text += [f"      {flip}"]
        text += [f"      {command} verify {shlex.quote(example.path)}"]
        text += [f"      {command} repair --plan plan.json --grace-s 0; {command} repair --apply plan.json"]
    return text
