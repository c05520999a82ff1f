"""Persistent identifiers as people write them, and as they stand in a close: `<prefix>/<suffix>` of a handle or DOI."""

import re
from urllib.parse import unquote

LONGEST_PID = 255
MOST_SOURCES_CHARACTERS = 64 << 10
"""Of all sources of one batch together: half of what a close may have (I10). Beyond it the PID of a collection is named."""

# RFC 3651, section 2.1: a handle is a naming authority, labels with dots, a slash, and a local name of printable characters.
_PID = re.compile(r"[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*/[^\s/]\S*")
_SCHEME = re.compile(r"(hdl|doi):(//)?|https?://", re.IGNORECASE)
_RESOLVERS = ("hdl.handle.net/", "doi.org/", "dx.doi.org/", "www.doi.org/")


def is_pid(text: str) -> bool:
    """Whether a text is a PID as it stands in a close."""
    return len(text) <= LONGEST_PID and text.isprintable() and _PID.fullmatch(text) is not None


def read_pid(text: str) -> str | None:
    """The PID in `11676/abc`, `hdl:11676/abc`, `doi:10.18160/abc` or the address of a resolver; None where there is none."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return text if is_pid(text) else None
    rest = text[scheme.end() :]
    if not scheme[1]:
        resolver = next((each for each in _RESOLVERS if rest.lower().startswith(each)), None)
        if resolver is None:
            return None
        rest = unquote(rest[len(resolver) :])
    return rest if is_pid(rest) else None
