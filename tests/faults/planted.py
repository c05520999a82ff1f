"""`python -m tests.faults.planted NAME processor …`: the real program with a bug in it, to see whether anybody notices.

The bugs are those that the simulator's judge knows (`tests/simulator/plants.py`); two are written anew for real servers.
"""

import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from b2stream.archive.irods.store import IrodsStore
from b2stream.archive.store import Placement
from b2stream.cli import main
from tests.simulator import plants

NEVER_S = 86_400.0


def acknowledge_before_announce() -> Any:
    """Commit events wait for a day, offsets do not wait for them."""
    return plants.acknowledge_before_announce(NEVER_S)


def overwrite_on_conflict() -> Any:
    """Where an object lies in the way of a move it is removed, and the move is made once more: iRODS's force flag by hand."""
    place = IrodsStore.place

    def forcing(self: IrodsStore, staged_name: str, path: str) -> Placement:
        placement = place(self, staged_name, path)
        if placement is Placement.ALREADY_THERE:
            target = self._placed_path(path)
            link = self._links.of_this_thread()
            link.tell("planted", lambda session: session.data_objects.unlink(target, force=True))
            placement = place(self, staged_name, path)
        return placement

    return patch.object(IrodsStore, "place", forcing)


PLANTS: dict[str, Callable[[], Any]] = {
    "acknowledge-before-announce": acknowledge_before_announce,
    "overwrite-on-conflict": overwrite_on_conflict,
    "skip-verification": plants.skip_verification,
    "out-of-order-acknowledgement": plants.acknowledge_out_of_order,
    "pop-retry-before-done": plants.pop_retry_of_commit,
}

if __name__ == "__main__":
    with PLANTS[sys.argv.pop(1)]():
        main()
