"""The centres of the settings, opened for reading."""

from b2stream.archive.centres import open_centre
from b2stream.archive.store import ObjectStore
from b2stream.errors import ConfigurationError
from b2stream.settings import Settings


def open_centres(settings: Settings, only: str = "") -> list[ObjectStore]:
    """The first centre and, where there is one, the second; with `only` the centre of that name. Raises ConfigurationError."""
    chosen = [("first", settings.first), ("second", settings.second)]
    if not only and not settings.first.url:
        raise ConfigurationError("first.url is not set: there is no centre to look at")
    stores = [open_centre(role, centre) for role, centre in chosen if centre.url and only in ("", centre.name)]
    if not stores:
        known = ", ".join(centre.name for _, centre in chosen if centre.url) or "none"
        raise ConfigurationError(f"there is no centre {only!r}; known: {known}")
    return stores
