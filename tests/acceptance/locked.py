"""Parts of the lock: the entries that an extra needs, with their hashes, as pip reads them."""

import re
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==.*(?:\n {4}--hash=\S+.*)+", re.MULTILINE)


def entries() -> dict[str, str]:
    """What the lock says of each package, by name; there may be several entries, for different Pythons."""
    text = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for entry in _ENTRY.finditer(text):
        name = canonicalize_name(entry[1])
        found[name] = f"{found.get(name, '')}{entry[0]}\n"
    return found


def needed_by(distribution: str, extra: str = "") -> set[str]:
    """Names of all that a distribution needs here, itself left out, as the metadata of what is installed say."""
    found: set[str] = set()
    waiting = [(distribution, extra)]
    seen = set(waiting)
    while waiting:
        name, chosen = waiting.pop()
        for line in requires(name) or []:
            wanted = Requirement(line)
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": chosen}):
                continue
            found.add(canonicalize_name(wanted.name))
            more = {(wanted.name, each) for each in ("", *wanted.extras)} - seen
            seen |= more
            waiting += more
    return found - {distribution}


def write(path: Path, names: set[str]) -> Path:
    """A lock of these packages alone. Raises KeyError for one that the lock does not have."""
    locked = entries()
    path.write_text("".join(locked[name] for name in sorted(names)), encoding="utf-8")
    return path
