"""The centres of the settings: how one is opened, and whether it lets us in."""

import logging
import threading
from collections.abc import Callable, Iterable

from b2stream.archive.location import open_store
from b2stream.archive.store import ObjectStore
from b2stream.errors import B2streamError, Fatal
from b2stream.settings.archive import Centre

_NO_OBJECT = "is-anybody-there"

_log = logging.getLogger(__name__)


def open_centre(role: str, centre: Centre) -> ObjectStore:
    """The store of a centre, not connected yet; `role` is `first` or `second`. Raises ConfigurationError."""
    return open_store(
        centre.url,
        centre.name or role,
        role=role,
        password_file=centre.password_file,
        staging_root=centre.staging_root,
        timeout_s=centre.timeout_s,
    )


def greet(stores: Iterable[ObjectStore], refused: Callable[[Fatal], object]) -> list[threading.Thread]:
    """Ask each centre something small, in a thread of its own, so that wrong credentials show at once and not with the first batch.

    `refused` is called, in that thread, with what no waiting cures. A centre that does not answer is waited for by whoever needs it.
    """
    threads = [
        threading.Thread(target=_greet, args=(store, refused), name=f"greeting-{store.centre}", daemon=True)
        for store in stores
    ]
    for thread in threads:
        thread.start()
    return threads


def _greet(store: ObjectStore, refused: Callable[[Fatal], object]) -> None:
    try:
        store.describe_staged(_NO_OBJECT)
    except Fatal as error:
        refused(error)
    except B2streamError as error:
        _log.warning("%s: %s", store.centre, error)
