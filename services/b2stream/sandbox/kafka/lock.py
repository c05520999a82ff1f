"""Writes jgo.lock.toml anew from jgo.toml: run `python -m b2stream.sandbox.kafka.lock` after changing a version there.

Only a developer runs this. A sandbox never resolves versions: it takes each jar that the lock names, and no other.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from jgo.env import EnvironmentSpec, LockFile, compute_spec_hash
from jgo.parse import Coordinate

from b2stream.sandbox.kafka.jars import LOCK_FILE, SPECIFICATION_FILE, jgo_context


def write_lock() -> int:
    """Resolve jgo.toml with jgo's own resolver, write the lock, and return the number of jars in it."""
    specification = EnvironmentSpec.load(SPECIFICATION_FILE)
    with tempfile.TemporaryDirectory() as folder:
        context = jgo_context(Path(folder))
        wanted = [replace(Coordinate.parse(text), scope="compile") for text in specification.coordinates]
        named, behind_them = context.resolver.resolve([context.create_dependency(one) for one in wanted])
        needed = [*named, *(one for one in behind_them if one.scope in ("compile", "runtime"))]
        lock = LockFile.from_resolved_dependencies(
            sorted(needed, key=lambda one: (one.groupId, one.artifactId)),
            environment_name=specification.name,
            entrypoints={"main": "kafka.Kafka"},
            default_entrypoint="main",
            spec_hash=compute_spec_hash(SPECIFICATION_FILE),
        )
    lock.save(LOCK_FILE)
    return len(needed)


if __name__ == "__main__":
    sys.stdout.write(f"{write_lock()} jars in {LOCK_FILE}\n")
