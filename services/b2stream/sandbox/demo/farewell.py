"""How to look further, with commands that work as they are printed."""

import shlex

from b2stream.sandbox.demo.feeding import FedStation
from b2stream.sandbox.demo.sabotage import vault_folder
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.programs import typed_command
from b2stream.settings import load


def lines(deployment: Deployment, stations: list[FedStation], example: str, pid: str, *, kept: bool) -> list[str]:
    """What to print. `example` is the path of a data object that has rows, below the root; `pid` its PID, or empty."""
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
    if pid:
        trusted = load(deployment.settings_file, environment={}).settings.handle.ca_file
        trust = f"--cacert {shlex.quote(trusted)} " if trusted else ""
        url = deployment.addresses["handle"]
        text += ["  Where a PID leads, and its record:"]
        text += [f"      curl -sS {trust}-o /dev/null -w '%{{redirect_url}}\\n' {url}/{pid}"]
        text += [f"      curl -sS {trust}{url}/api/handles/{pid}", ""]
    own = [role for role in ("first", "second") if role in deployment.servers]
    if own:
        text += ["  Where the files lie on this disk:"]
        text += [f"      {role:7} {vault_folder(deployment, role)}" for role in own]
        text += [""]
    if "first" in own:
        file = shlex.quote(str(vault_folder(deployment, "first") / example))
        text += ["  Flip a byte of the archive, see it found, and mended from the other centre:"]
        text += [f"      printf '\\377' | dd of={file} bs=1 seek=100 conv=notrunc"]
        text += [f"      {command} verify {shlex.quote(pid or example)}"]
        text += [f"      {command} repair --plan plan.json --grace-s 0; {command} repair --apply plan.json"]
    return text
