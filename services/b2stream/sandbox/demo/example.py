"""Which data object the demo verifies and shows at its end: any of them, by chance, so that no run can know beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from b2stream.batches.identity import id24
from b2stream.batches.paths import MANIFEST_SUFFIX


@dataclass(frozen=True, slots=True)
class Example:
    """A data object: its path below the root, its PID (empty where there are none), and of how many it was chosen."""

    path: str
    pid: str
    among: int

    @property
    def name(self) -> str:
        """What to call it on a command line."""
        return self.pid or self.path


def choose(seen: Mapping[str, Sequence[Any]], prefix: str, random: Random) -> Example:
    """One of the objects that the check saw at the first centre (path: data id, size in bytes, SHA-256); an empty one only if all are.

    `prefix` is that of their PIDs, empty where there is no Handle server.
    """
    paths = sorted(path for path in seen if not path.endswith(MANIFEST_SUFFIX) and not path.startswith("."))
    chosen = random.choice([path for path in paths if seen[path][1]] or paths)
    return Example(chosen, f"{prefix}/{id24(seen[chosen][2])}" if prefix else "", len(paths))
