"""Writes a jgo.lock.toml anew from its jgo.toml: `python -m b2stream.sandbox.lock kafka` or `handle` after changing a version there.

Only a developer runs this. A sandbox never resolves versions: it takes each jar that the lock names, and no other.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from jgo.env import EnvironmentSpec, LockFile, compute_spec_hash
from jgo.parse import Coordinate

from b2stream.sandbox.handle.jars import HANDLE
from b2stream.sandbox.jars import JarSet, jgo_context
from b2stream.sandbox.kafka.jars import KAFKA


def write_lock(jars: JarSet) -> int:
    """Resolve jgo.toml with jgo's own resolver, write the lock, and return the number of jars in it."""
    specification = EnvironmentSpec.load(jars.specification_file)
    with tempfile.TemporaryDirectory() as folder:
        context = jgo_context(Path(folder))
        wanted = [replace(Coordinate.parse(text), scope="compile") for text in specification.coordinates]
        named, behind_them = context.resolver.resolve([context.create_dependency(one) for one in wanted])
        needed = [*named, *(one for one in behind_them if one.scope in ("compile", "runtime"))]
        lock = LockFile.from_resolved_dependencies(
            sorted(needed, key=lambda one: (one.groupId, one.artifactId)),
            environment_name=specification.name,
            entrypoints=specification.entrypoints,
            default_entrypoint=specification.default_entrypoint,
            spec_hash=compute_spec_hash(jars.specification_file),
        )
    lock.save(jars.lock_file)
    return len(needed)


if __name__ == "__main__":
    chosen = {each.short: each for each in (KAFKA, HANDLE)}[sys.argv[1]]
    sys.stdout.write(f"{write_lock(chosen)} jars in {chosen.lock_file}\n")
