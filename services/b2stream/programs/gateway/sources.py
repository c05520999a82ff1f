"""The PIDs of what a product was made from, as they stand beside its file: `NAME.sources`, one PID a line.

Lines that are empty or begin with `#` say nothing. The gateway reads it when it takes the file, so it has to be there by then; it
is never published itself. The PIDs are signed with the close and stand in the manifest and its provenance.
"""

from pathlib import Path

from b2stream.contracts.pids import MOST_SOURCES_CHARACTERS, read_pid
from b2stream.programs.gateway.snapshot import FileUnreadable
from b2stream.programs.gateway.watch import SOURCES_ENDING

_LONGEST_BYTES = 4 * MOST_SOURCES_CHARACTERS


class BadSources(FileUnreadable):
    """The list of sources beside a file cannot be used: mend the line named here, and the gateway takes the file by itself."""

    reason = "bad_sources"


def sources_of(path: Path) -> tuple[str, ...]:
    """PIDs of what a file was made from, each once, in the order of its list; none without one. Raises BadSources."""
    beside = path.with_name(path.name + SOURCES_ENDING)
    try:
        with open(beside, "rb") as file:
            content = file.read(_LONGEST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        return ()
    except UnicodeDecodeError as error:
        raise BadSources(f"{beside.name}: not UTF-8 ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise BadSources(f"{beside.name}: {error.strerror}") from error
    found: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if (written := line.strip()) and not written.startswith("#"):
            pid = read_pid(written)
            if pid is None:
                expected = "no PID; write it as 11676/abc, hdl:11676/abc or https://doi.org/10.18160/abc"
                raise BadSources(f"{beside.name}, line {number}: {written!r:.100} is {expected}")
            found[pid] = None
    if len(content) > _LONGEST_BYTES or len("".join(found)) > MOST_SOURCES_CHARACTERS:
        most = f"more than {MOST_SOURCES_CHARACTERS >> 10} KiB of PIDs"
        raise BadSources(f"{beside.name}: {most}; name a collection that has a PID of its own")
    return tuple(found)
