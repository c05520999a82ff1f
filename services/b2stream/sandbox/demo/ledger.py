"""What the stations of a demo have been given: the list that the check compares both centres with.

`fed.jsonl` in the demo's directory, a line for each time that a file was fed. A file that was changed or removed since stays on the list
with size and SHA-256: it is archived, and nothing archived is ever taken back.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from b2stream.batches.identity import id24
from b2stream.programs.gateway.watch import printable
from b2stream.sandbox.demo import known_files

FILE_NAME = "fed.jsonl"


@dataclass(frozen=True)
class Fed:
    """A file as its station got it. `source` is the original, `rows` what is known of it from elsewhere than the pipeline."""

    station: str
    name: str
    source: str
    size_bytes: int
    sha256: str
    rows: int | None

    @classmethod
    def of(cls, station: str, source: Path, rows: int | None = None) -> "Fed":
        """Take down a file. `rows` None: looked up among the files that are known."""
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        known = known_files.ROWS.get(id24(sha256)) if rows is None else rows
        return cls(station, printable(source.name), str(source.absolute()), source.stat().st_size, sha256, known)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.station, self.name, self.sha256


class Ledger:
    """All files that were ever fed in one directory, in the order of their last time."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / FILE_NAME
        self._files: dict[tuple[str, str, str], Fed] = {}
        if self._file.exists():
            *whole_lines, torn = self._file.read_text(encoding="utf-8").split("\n")
            if torn:  # by a demo that was killed; what is added must begin a line
                self._file.write_text("".join(f"{line}\n" for line in whole_lines), encoding="utf-8")
            for line in whole_lines:
                self._take(Fed(**json.loads(line)))

    def __len__(self) -> int:
        return len(self._files)

    def knows(self, fed: Fed) -> bool:
        """Whether this content was fed under this name before."""
        return fed.key in self._files

    def add(self, fed: Fed) -> None:
        """Take down a file before it is fed. The newest original counts: it is the one that can be read again."""
        self._take(fed)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(fed)) + "\n")

    def sources(self) -> list[dict[str, Any]]:
        """The list as the check's plan wants it: with the original where it still is what was fed."""
        listed: list[dict[str, Any]] = []
        latest = {(one.station, one.source): one.sha256 for one in self._files.values()}
        for one in self._files.values():
            original = Path(one.source)
            still = latest[one.station, one.source] == one.sha256 and original.is_file()
            listed.append(
                {
                    "station": one.station,
                    "name": one.name,
                    "file": one.source if still else None,
                    "size_bytes": one.size_bytes,
                    "sha256": one.sha256,
                    "rows": one.rows,
                }
            )
        return listed

    def _take(self, fed: Fed) -> None:
        self._files.pop(fed.key, None)  # a content that came back is the latest again
        self._files[fed.key] = fed
