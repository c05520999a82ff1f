"""Undo gzip and zip before any format looks, with the limits checked while unpacking: what an archive says of its size may be a lie."""

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from typing import Protocol

from b2stream.formats.base import PARSE_LIMIT_BYTES, NotReadable, SourceFile

READ_BYTES = 1 << 20
ZIP_DIRECTORY_LIMIT_BYTES = 64 << 10
"""zipfile reads the whole directory at once: five million entries fit into 256 MiB and would take minutes."""

END_OF_DIRECTORY = b"PK\x05\x06"
DAMAGES = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError, struct.error)
"""What gzip and zipfile raise for a broken archive; RuntimeError also for an encrypted one and for an unknown method."""


class Readable(Protocol):
    """What gzip and zipfile give."""

    def read(self, size: int, /) -> bytes: ...


def unpack(name: str, content: bytes, limit_bytes: int = PARSE_LIMIT_BYTES) -> SourceFile:
    """The file with gzip or zip undone, by the content's first bytes and not by the name; other files as they are.

    Raises NotReadable `zip_bomb`, `archive_entries` or `damaged_archive`.
    """
    try:
        if content.startswith(b"\x1f\x8b"):
            entry = name[:-3] if name.lower().endswith(".gz") else name
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                return SourceFile(name, _read_within(stream, limit_bytes), entry)
        if content.startswith((b"PK\x03\x04", END_OF_DIRECTORY)):
            return _unzip(name, content, limit_bytes)
    except DAMAGES as error:
        raise NotReadable("damaged_archive", f"{type(error).__name__}: {error}") from error
    return SourceFile(name, content)


def _unzip(name: str, content: bytes, limit_bytes: int) -> SourceFile:
    """The one file of a zip archive. What the archive says of its directory is looked at before zipfile reads that."""
    end = content.rfind(END_OF_DIRECTORY)
    if end < 0 or len(content) < end + 22:
        raise NotReadable("damaged_archive", "the zip file has no directory at its end")
    (directory_bytes,) = struct.unpack_from("<I", content, end + 12)
    if directory_bytes > ZIP_DIRECTORY_LIMIT_BYTES:
        raise NotReadable("archive_entries", f"the directory of the zip file has {directory_bytes} bytes")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [info for info in archive.infolist() if not info.is_dir()]
        if len(entries) != 1:
            raise NotReadable("archive_entries", f"{len(entries)} files in the zip file")
        if entries[0].file_size > limit_bytes:
            raise NotReadable("zip_bomb", f"{entries[0].file_size} bytes unpacked, by the zip file's own word")
        with archive.open(entries[0]) as stream:
            return SourceFile(name, _read_within(stream, limit_bytes), entries[0].filename)


def _read_within(stream: Readable, limit_bytes: int) -> bytes:
    unpacked = bytearray()
    while part := stream.read(READ_BYTES):
        unpacked += part
        if len(unpacked) > limit_bytes:
            raise NotReadable("zip_bomb", f"more than {limit_bytes} bytes unpacked")
    return bytes(unpacked)
