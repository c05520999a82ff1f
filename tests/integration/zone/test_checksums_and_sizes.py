"""What a real iRODS 5.0.2 does with checksums and declared sizes, and so the embedded zone."""

from pathlib import Path

import irods.keywords as kw
import irods.manager.data_object_manager as manager
import pytest
from irods.manager.data_object_manager import Server_Checksum_Warning
from irods.message import RErrorStack
from irods.session import iRODSSession

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.zone.objects import GOOD, HELLO, STALE, checksum, read, refused, replica, write

WRONG = checksum(b"something else")


def test_version_is_that_of_the_recorded_server(session: iRODSSession) -> None:
    assert session.server_version == (5, 0, 2)


def test_without_keyword_no_checksum_is_registered(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    assert replica(session, f"{home}/x") == (GOOD, 12, None)


def test_reg_chksum_registers_the_server_s_checksum(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    assert replica(session, f"{home}/x") == (GOOD, 12, checksum(HELLO))


def test_a_value_of_reg_chksum_is_ignored(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: WRONG})
    assert replica(session, f"{home}/x") == (GOOD, 12, checksum(HELLO))


def test_an_empty_verify_chksum_verifies_nothing(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", keywords={kw.VERIFY_CHKSUM_KW: ""})
    assert replica(session, f"{home}/x") == (GOOD, 12, None)


def test_a_right_verify_chksum_is_stored(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", keywords={kw.VERIFY_CHKSUM_KW: checksum(HELLO)})
    assert replica(session, f"{home}/x") == (GOOD, 12, checksum(HELLO))


def test_a_wrong_verify_chksum_is_refused_and_leaves_a_stale_replica_of_size_0(
    session: iRODSSession, home: str, shared_zone: EmbeddedZone
) -> None:
    with refused(-314000):
        write(session, f"{home}/x", keywords={kw.VERIFY_CHKSUM_KW: WRONG})
    assert replica(session, f"{home}/x") == (STALE, 0, None)
    file = shared_zone.directory / "vault" / home.split("/", 2)[2] / "x"
    assert file.read_bytes() == HELLO, "the file stays in the vault"


def test_a_put_over_a_replica_left_by_a_wrong_checksum_works(session: iRODSSession, home: str) -> None:
    with refused(-314000):
        write(session, f"{home}/x", keywords={kw.VERIFY_CHKSUM_KW: WRONG})
    write(session, f"{home}/x", keywords={kw.VERIFY_CHKSUM_KW: checksum(HELLO)})
    assert replica(session, f"{home}/x") == (GOOD, 12, checksum(HELLO))


def test_overwriting_without_keyword_clears_the_checksum(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    write(session, f"{home}/x", b"new")
    assert replica(session, f"{home}/x") == (GOOD, 3, None)


@pytest.mark.parametrize("keywords", [{}, {kw.REG_CHKSUM_KW: ""}, {kw.VERIFY_CHKSUM_KW: WRONG}])
def test_a_size_mismatch_is_silent_bypasses_checksums_and_leaves_stale(
    session: iRODSSession, home: str, keywords: dict[str, str]
) -> None:
    write(session, f"{home}/x", b"12345", {kw.DATA_SIZE_KW: 100, **keywords})
    assert replica(session, f"{home}/x") == (STALE, 5, None)


def test_a_declared_size_that_holds_is_good(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", HELLO, {kw.DATA_SIZE_KW: len(HELLO), kw.VERIFY_CHKSUM_KW: checksum(HELLO)})
    assert replica(session, f"{home}/x") == (GOOD, 12, checksum(HELLO))


def test_an_empty_object_has_the_checksum_of_nothing(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", b"", {kw.REG_CHKSUM_KW: ""})
    assert replica(session, f"{home}/x") == (GOOD, 0, "sha2:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")


def test_stale_replicas_are_readable_without_an_error(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", b"12345", {kw.DATA_SIZE_KW: 100})
    assert read(session, f"{home}/x") == b"12345"


def test_chksum_gives_the_registered_value_without_reading_the_file(
    session: iRODSSession, home: str, shared_zone: EmbeddedZone
) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    rot(shared_zone, f"{home}/x")
    assert session.data_objects.chksum(f"{home}/x") == checksum(HELLO)


def test_chksum_computes_and_registers_where_none_is(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    assert session.data_objects.chksum(f"{home}/x") == checksum(HELLO)
    assert replica(session, f"{home}/x") == (GOOD, 12, checksum(HELLO))


def test_chksum_force_computes_again(session: iRODSSession, home: str, shared_zone: EmbeddedZone) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    rot(shared_zone, f"{home}/x")
    assert session.data_objects.chksum(f"{home}/x", **{kw.FORCE_CHKSUM_KW: ""}) == checksum(b"Hello world\n")


def rot(zone: EmbeddedZone, path: str, content: bytes = b"Hello world\n") -> None:
    """Change the file in the vault behind the zone's back."""
    (zone.directory / "vault" / path.split("/", 2)[2]).write_bytes(content)


def verify(session: iRODSSession, path: str) -> tuple[list[dict[str, object]], RErrorStack]:
    stack = RErrorStack()
    with pytest.raises(Server_Checksum_Warning) as caught:
        session.data_objects.chksum(path, **{kw.VERIFY_CHKSUM_KW: "", "r_error": stack})
    return caught.value.response, stack


def test_chksum_verify_says_nothing_of_a_good_object(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    stack = RErrorStack()
    assert session.data_objects.chksum(f"{home}/x", **{kw.VERIFY_CHKSUM_KW: "", "r_error": stack}) == ""
    assert stack == []


def test_chksum_verify_reports_bit_rot(session: iRODSSession, home: str, shared_zone: EmbeddedZone) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    rot(shared_zone, f"{home}/x")
    findings, stack = verify(session, f"{home}/x")
    assert [finding["error_code"] for finding in findings] == [-314000]
    assert checksum(b"Hello world\n") in stack[0].message
    assert checksum(HELLO) in stack[0].message


def test_chksum_verify_reports_a_changed_size(session: iRODSSession, home: str, shared_zone: EmbeddedZone) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    rot(shared_zone, f"{home}/x", b"short")
    assert verify(session, f"{home}/x")[0][0]["error_code"] == -401000


def test_chksum_verify_reports_a_missing_checksum(session: iRODSSession, home: str) -> None:
    write(session, f"{home}/x")
    assert verify(session, f"{home}/x")[0][0]["error_code"] == -862000


def test_chksum_verify_reports_a_vanished_file(session: iRODSSession, home: str, shared_zone: EmbeddedZone) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    (shared_zone.directory / "vault" / home.split("/", 2)[2] / "x").unlink()
    assert verify(session, f"{home}/x")[0]


def test_chksum_verify_without_error_stack_meets_the_client_s_own_bug(
    session: iRODSSession, home: str, shared_zone: EmbeddedZone
) -> None:
    write(session, f"{home}/x", keywords={kw.REG_CHKSUM_KW: ""})
    rot(shared_zone, f"{home}/x")
    with pytest.raises(AttributeError):
        session.data_objects.chksum(f"{home}/x", **{kw.VERIFY_CHKSUM_KW: ""})


def test_an_exception_while_writing_leaves_the_partial_object_good(session: iRODSSession, home: str) -> None:
    def fail() -> None:
        with session.data_objects.open(f"{home}/x", "w") as handle:
            handle.write(b"part")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert replica(session, f"{home}/x") == (GOOD, 4, None)


@pytest.fixture
def parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files above 64 KiB go over several connections."""
    monkeypatch.setattr(manager, "MAXIMUM_SINGLE_THREADED_TRANSFER_SIZE", 65536)


@pytest.mark.usefixtures("parallel")
def test_a_parallel_put_and_get_carry_the_bytes(session: iRODSSession, home: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(content)
    options = {kw.VERIFY_CHKSUM_KW: checksum(content)}
    session.data_objects.put(str(tmp_path / "file"), f"{home}/x", num_threads=3, **options)
    assert replica(session, f"{home}/x") == (GOOD, len(content), checksum(content))
    session.data_objects.get(f"{home}/x", str(tmp_path / "back"), num_threads=3)
    assert (tmp_path / "back").read_bytes() == content


@pytest.mark.usefixtures("parallel")
def test_a_parallel_put_with_a_wrong_checksum_is_refused(session: iRODSSession, home: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(200_000))
    with refused(-314000):
        session.data_objects.put(str(tmp_path / "file"), f"{home}/x", **{kw.VERIFY_CHKSUM_KW: WRONG})
    assert replica(session, f"{home}/x") == (STALE, 0, None)


def test_a_put_without_parallel_threads_carries_the_bytes(session: iRODSSession, home: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(HELLO)
    session.data_objects.put(str(tmp_path / "file"), f"{home}/x", num_threads=1, **{kw.REG_CHKSUM_KW: ""})
    assert replica(session, f"{home}/x") == (GOOD, 12, checksum(HELLO))
