"""The vault: no two objects ever share a file, whatever a kill left behind."""

import base64
import hashlib
import os
from pathlib import Path

import pytest

from b2stream.sandbox.zone.numbers import Refusal
from b2stream.sandbox.zone.vault import Vault


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault")


def fill(vault: Vault, path: str, content: bytes) -> str:
    file = vault.path_of(path)
    descriptor = vault.create(file)
    os.write(descriptor, content)
    os.close(descriptor)
    return file


def test_files_lie_as_the_collections_do_without_the_zone(vault: Vault) -> None:
    assert vault.path_of("/cscZone/home/rods/x") == f"{vault.directory}/home/rods/x"


def test_a_new_object_never_writes_into_a_file_left_behind(vault: Vault) -> None:
    kept = fill(vault, "/z/kept", b"kept")
    os.link(kept, vault.path_of("/z/left"))
    fill(vault, "/z/left", b"new")
    assert Path(kept).read_bytes() == b"kept"


def test_a_link_replaces_what_was_left_behind_and_keeps_both_names_until_removal(vault: Vault) -> None:
    file = fill(vault, "/z/a", b"a")
    new_file = fill(vault, "/z/deep/b", b"left behind")
    vault.link(file, new_file)
    assert Path(file).read_bytes() == Path(new_file).read_bytes() == b"a"
    vault.remove(file)
    assert not Path(file).exists()
    vault.remove(file)


def test_a_checksum_is_iRODS_s_form_of_sha256(vault: Vault) -> None:
    content = bytes(3_000_000)
    expected = "sha2:" + base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert vault.checksum(fill(vault, "/z/x", content)) == expected


def test_a_copy_has_the_same_bytes(vault: Vault) -> None:
    file = fill(vault, "/z/x", bytes(range(256)) * 10_000)
    copy = vault.path_of("/z/y")
    descriptor = vault.create(copy)
    vault.copy(file, descriptor)
    os.close(descriptor)
    assert Path(copy).read_bytes() == Path(file).read_bytes()


@pytest.mark.parametrize(
    ("family", "attempt"),
    [
        (-510002, lambda vault, file: vault.open(file, write=False)),
        (-510002, lambda vault, file: vault.checksum(file)),
        (-516002, lambda vault, file: vault.size_bytes(file)),
        (-511036, lambda vault, file: vault.create(file + "x" * 300)),
    ],
)
def test_what_the_system_refuses_carries_its_errno(vault: Vault, family: int, attempt: object) -> None:
    with pytest.raises(Refusal) as caught:
        attempt(vault, vault.path_of("/z/missing"))  # type: ignore[operator]
    assert caught.value.code == family


def test_an_open_file_that_was_renamed_is_no_longer_at_its_path(vault: Vault) -> None:
    file = fill(vault, "/z/x", b"x")
    descriptor = vault.open(file, write=True)
    assert vault.size_bytes_of_open(file, descriptor) == 1
    os.rename(file, file + ".away")
    fill(vault, "/z/x", b"another")
    with pytest.raises(Refusal) as caught:
        vault.size_bytes_of_open(file, descriptor)
    os.close(descriptor)
    assert caught.value.code == -516002
