"""The class path of the Handle.Net server."""

from pathlib import Path

from b2stream.sandbox import jars
from b2stream.sandbox.jars import JarSet, Tell

__all__ = ["HANDLE", "Tell", "class_path"]

HANDLE = JarSet(
    "Handle.Net server",
    "handle",
    Path(__file__).parent,
    "handle",
    "a Handle server that runs already can be used with --handle URL",
)


def class_path(tell: Tell | None = None) -> list[Path]:
    """Paths of all its jars; see `b2stream.sandbox.jars.class_path`."""
    return jars.class_path(HANDLE, tell)
