"""Small disks of their own: a tmpfs where mounting is permitted."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _mount(*words: str) -> bool:
    """Whether it was done."""
    try:
        return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A folder that holds no more than so many bytes. Skips the test where nobody may mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _mount("-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)):
        pytest.skip("nobody may mount a disk here: the unit tests of spool and journal inject ENOSPC")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def may_mount(folder: Path) -> bool:
    """Whether small disks are to be had here."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _mount("-t", "tmpfs", "-o", "size=65536", "tmpfs", str(folder)):
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


def read_only(folder: Path, *, only: bool) -> None:
    """Remount the disk so that nobody can write, or so that everybody can again."""
    assert _mount("-o", "remount," + ("ro" if only else "rw"), str(folder)), f"{folder} cannot be remounted"


def fill(folder: Path) -> Path:
    """Leave no byte free; gives the file that takes the room."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast
