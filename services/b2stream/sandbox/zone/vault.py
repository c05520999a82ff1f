"""The files behind the data objects: `<directory>/vault`, laid out like the collections.

A file is never where two objects could meet: a new object removes what a killed zone left at its place, and a rename
links the new name, commits, and only then removes the old one, so that no moment of a kill loses or mixes bytes.
"""

import base64
import contextlib
import errno
import hashlib
import os
from pathlib import Path

from b2stream.sandbox.zone.numbers import Code, Refusal, file_error

BUFFER_BYTES = 1048576


class Vault:
    """Creates, opens, renames and removes files by physical path."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def path_of(self, logical_path: str) -> str:
        """Where the file of an object with that path goes: the zone's name is left out, as iRODS does."""
        return f"{self.directory}/{logical_path.split('/', 2)[-1]}"

    def create(self, file: str) -> int:
        """A descriptor of a new, empty file. Raises UNIX_FILE_CREATE_ERR less the errno."""
        try:
            try:
                return self._create(file)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(file), exist_ok=True)
                return self._create(file)
        except OSError as error:
            raise Refusal(file_error(Code.UNIX_FILE_CREATE_ERR, error)) from None

    @staticmethod
    def _create(file: str) -> int:
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        try:
            return os.open(file, flags, 0o600)
        except FileExistsError:
            os.unlink(file)
            return os.open(file, flags, 0o600)

    def open(self, file: str, *, write: bool) -> int:
        """A descriptor of an existing file. Raises UNIX_FILE_OPEN_ERR less the errno."""
        flags = (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC
        try:
            return os.open(file, flags)
        except OSError as error:
            raise Refusal(file_error(Code.UNIX_FILE_OPEN_ERR, error)) from None

    @staticmethod
    def copy(file: str, descriptor: int) -> None:
        """Append a file's bytes to an open one. Raises UNIX_FILE_READ_ERR less the errno."""
        try:
            with open(file, "rb", buffering=0) as source:
                size_bytes = os.fstat(source.fileno()).st_size
                while (position := source.tell()) < size_bytes:
                    part = os.sendfile(descriptor, source.fileno(), position, size_bytes - position)
                    source.seek(position + part)
        except OSError as error:
            raise Refusal(file_error(Code.UNIX_FILE_READ_ERR, error)) from None

    @staticmethod
    def size_bytes(file: str) -> int:
        """The file's size. Raises UNIX_FILE_STAT_ERR less the errno."""
        try:
            return os.stat(file).st_size
        except OSError as error:
            raise Refusal(file_error(Code.UNIX_FILE_STAT_ERR, error)) from None

    def size_bytes_of_open(self, file: str, descriptor: int) -> int:
        """The size of an open file that must still be at that path. Raises UNIX_FILE_STAT_ERR less the errno."""
        size_bytes = self.size_bytes(file)
        if not os.path.samestat(os.stat(file), os.fstat(descriptor)):
            raise Refusal(file_error(Code.UNIX_FILE_STAT_ERR, FileNotFoundError(errno.ENOENT, file)))
        return size_bytes

    @staticmethod
    def checksum(file: str) -> str:
        """`sha2:` and the base64 of the file's SHA-256. Raises UNIX_FILE_OPEN_ERR less the errno."""
        try:
            with open(file, "rb", buffering=0) as opened:
                digest = hashlib.file_digest(opened, "sha256").digest()
        except OSError as error:
            raise Refusal(file_error(Code.UNIX_FILE_OPEN_ERR, error)) from None
        return "sha2:" + base64.b64encode(digest).decode()

    def link(self, file: str, new_file: str) -> None:
        """Give a file a second name; `remove` takes the first away once the catalogue is committed.

        A vanished file is no obstacle, as in iRODS: the catalogue is what renames.
        """
        try:
            os.makedirs(os.path.dirname(new_file), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new_file)
            with contextlib.suppress(FileNotFoundError):
                os.link(file, new_file)
        except OSError as error:
            raise Refusal(file_error(Code.UNIX_FILE_RENAME_ERR, error)) from None

    @staticmethod
    def remove(file: str) -> None:
        """Remove a file that the catalogue no longer names."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file)
