"""Where a batch lies: the same below every centre's root.

`<station>/<series>/<yyyy>/<mm>/<stem>~<first 12 of id24><extension>` and `<that>.manifest.json` beside it; a file without a time of
its own lies under `undated/` instead of year and month. Two contents can never meet at one path.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

from b2stream.batches.identity import id24
from b2stream.contracts.canonical import iso_utc
from b2stream.errors import Poison

UNDATED = "undated"
MANIFEST_SUFFIX = ".manifest.json"
DEAD_FOLDER = ".dead"
LONGEST_STEM_BYTES = 150
LONGEST_EXTENSION_BYTES = 16
LONGEST_NAME_BYTES = 100
_ID24_PART = 12
_SAFE = "-._+,=@"
_BROKEN_ESCAPE = re.compile(r"%[0-9A-F]?$")
_SAFE_NAME = re.compile(r"(?!\.)(?:[A-Za-z0-9_.+,=@-]|%[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True)
class BatchPaths:
    """Paths of one batch below the root: its series' folder, its data object's folder and name, and its manifest."""

    series_folder: str
    folder: str
    object_name: str

    @property
    def data_object(self) -> str:
        return f"{self.folder}/{self.object_name}"

    @property
    def manifest(self) -> str:
        return self.data_object + MANIFEST_SUFFIX

    @property
    def manifest_name(self) -> str:
        return self.object_name + MANIFEST_SUFFIX


def batch_paths(
    station: str, series: str, stem: str, extension: str, raw_sha256: str, start_us: int | None
) -> BatchPaths:
    """The paths of a batch. Raises Poison (reason `bad_name`) for parts that no gateway would write."""
    for what, part, longest in (
        ("station", station, LONGEST_NAME_BYTES),
        ("series", series, LONGEST_NAME_BYTES),
        ("stem", stem, LONGEST_STEM_BYTES),
    ):
        if not is_safe_name(part, longest):
            raise Poison(f"{what} {part!r} is not a safe name", reason="bad_name")
    if extension and (not extension.startswith(".") or extension != safe_extension(extension)):
        raise Poison(f"extension {extension!r}", reason="bad_name")
    series_folder = f"{station}/{series}"
    object_name = f"{stem}~{id24(raw_sha256)[:_ID24_PART]}{extension}"
    return BatchPaths(series_folder, f"{series_folder}/{_month(start_us)}", object_name)


def safe_name(text: str, longest_bytes: int = LONGEST_STEM_BYTES) -> str:
    """A name made safe by percent-encoding, cut between characters where it is too long.

    Letters, digits and `-._+,=@` stay; everything else becomes %XX of its UTF-8 bytes. A leading dot is escaped too, because
    dotted folders are b2stream's own. To be applied once: a `%` becomes `%25`, so that two names never become one.
    """
    safe = ""
    for at, character in enumerate(text):
        escaped = "%2E" if at == 0 and character == "." else quote(character, safe=_SAFE, errors="surrogatepass")
        escaped = escaped.replace("~", "%7E")  # quote() leaves it, but it separates stem and id24
        if len(safe) + len(escaped) > longest_bytes:
            break
        safe += escaped
    return safe


def is_safe_name(text: str, longest_bytes: int = LONGEST_STEM_BYTES) -> bool:
    """Whether a text can be what `safe_name` gives."""
    return 0 < len(text) <= longest_bytes and _SAFE_NAME.fullmatch(text) is not None


def safe_extension(text: str) -> str:
    """An extension made safe: its dot, then letters, digits, dots, `-` and `_`; empty where it is none."""
    body = text.removeprefix(".")
    fits = (
        body and len(text) <= LONGEST_EXTENSION_BYTES and all(c.isascii() and (c.isalnum() or c in "-_.") for c in body)
    )
    return f".{body}" if fits and not body.endswith(".") and f".{body}" != MANIFEST_SUFFIX else ""


def split_name(file_name: str) -> tuple[str, str]:
    """Stem and extension of a file name, made safe; `.csv.gz` stays together."""
    for packed in (".gz", ".zip", ".bz2", ".xz"):
        if file_name.lower().endswith(packed):
            inner, _, kind = file_name[: -len(packed)].rpartition(".")
            whole = f".{kind}{file_name[-len(packed) :]}"
            if inner and safe_extension(whole):
                return safe_name(inner), safe_extension(whole)
    stem, dot, kind = file_name.rpartition(".")
    if not stem or not safe_extension(dot + kind):
        return safe_name(file_name), ""
    return safe_name(stem), safe_extension(dot + kind)


def stream_stem(station: str, series: str, start_us: int) -> str:
    """The stem of a stream's batch: `<station>_<series>_<start>`, of two safe names; where it is too long the start stays whole."""
    when = "_" + iso_utc(start_us).replace("-", "").replace(":", "")
    # Both names are safe already; escaping them again would only make them harder to read.
    return _BROKEN_ESCAPE.sub("", f"{station}_{series}"[: LONGEST_STEM_BYTES - len(when)]) + when


def _month(start_us: int | None) -> str:
    if start_us is None:
        return UNDATED
    try:
        year, month, _ = iso_utc(start_us).split("-")
    except OverflowError as error:
        raise Poison(f"start {start_us} µs", reason="bad_start") from error
    return f"{year}/{month}"
