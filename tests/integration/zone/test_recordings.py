"""Every recorded exchange with a real iRODS 5.0.2, repeated with the embedded zone and compared answer by answer.

What is made comparable, and how, stands in `recordings.py`.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import irods.keywords as kw
import pytest
from irods.meta import iRODSMeta
from irods.models import DataObject
from irods.session import iRODSSession

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.zone.conftest import SessionMaker
from tests.integration.zone.recordings import RECORDED_VAULTS, Answer, Message, Normaliser, Player, load

RECORDINGS = sorted((Path(__file__).parents[2] / "fixtures" / "irods_wire").glob("*.jsonl"))
WIRE = "/cscZone/home/rods/wire"
HELLO = b"hello world\n"
CHECKSUM_CALL = 629
# User names and passwords as the zone of the recordings had them; in 02 the password is wrong.
PASSWORDS = {"rods": "rods", "bob": "rods"}


def write(session: iRODSSession, path: str, content: bytes = HELLO, keywords: Mapping[str, str] | None = None) -> None:
    with session.data_objects.open(path, "w", **(keywords or {})) as handle:
        handle.write(content)


def verified(session: iRODSSession, path: str) -> None:
    write(session, path, keywords={kw.REG_CHKSUM_KW: ""})


def with_ok(session: iRODSSession) -> None:
    verified(session, f"{WIRE}/ok")


def with_avus(session: iRODSSession) -> None:
    """The triples without units are older than those with, as in the zone of the recordings."""
    with_ok(session)
    for number in (0, 2, 4, 1, 3):
        add_avu(session, f"{WIRE}/ok", number)


def add_avu(session: iRODSSession, path: str, number: int) -> None:
    meta = iRODSMeta(f"k{number}", f"v{number}", "u" if number % 2 else None)
    session.metadata.add(DataObject, path, meta)


def with_many(session: iRODSSession) -> None:
    session.collections.create(f"{WIRE}/many")
    for number in range(300):
        write(session, f"{WIRE}/many/f{number:04d}", str(number).encode(), {kw.REG_CHKSUM_KW: ""})


def with_many_and_more(session: iRODSSession) -> None:
    for name in ("bad", "m2", "moved", "ok", "rot"):
        write(session, f"{WIRE}/{name}")
    session.collections.create(f"{WIRE}/a/b/c")
    with_many(session)


def with_1801_avus(session: iRODSSession) -> None:
    """As many rows as recorded, in collections with names as long as theirs."""
    for collection, count in (("a_many_meta_1500", 1500), ("b_many_meta_300", 300)):
        session.collections.create(f"/cscZone/home/rods/{collection}")
        for number in range(count):
            path = f"/cscZone/home/rods/{collection}/f{number:05d}"
            write(session, path, b"", {kw.METADATA_INCLUDED_KW: "k2;v2;;"})
    write(session, f"{WIRE}/ok", keywords={kw.METADATA_INCLUDED_KW: "k2;v2;;"})


def with_big(session: iRODSSession) -> None:
    with session.data_objects.open(f"{WIRE}/big", "w") as handle:
        for number in range(5):
            handle.write(bytes([number]) * 1048576)


def with_locked(session: iRODSSession) -> object:
    """The handle stays open as long as someone holds it."""
    handle = session.data_objects.open(f"{WIRE}/locked", "w")
    handle.write(HELLO)
    handle.flush()
    return handle


PREPARATIONS: dict[str, Callable[[iRODSSession], object]] = {
    "05": lambda session: session.collections.create(f"{WIRE}/a"),
    "13": with_ok,
    "15": with_ok,
    "16": with_ok,
    "17": lambda session: write(session, f"{WIRE}/plain"),
    "18": with_ok,
    "19": with_ok,
    "21": lambda session: write(session, f"{WIRE}/plain"),
    "22": lambda session: write(session, f"{WIRE}/moved"),
    "24": with_ok,
    "25": with_avus,
    "26": with_avus,
    "27": with_avus,
    "28": lambda session: write(session, f"{WIRE}/ok", keywords={kw.METADATA_INCLUDED_KW: "k0;new;;"}),
    "30": with_many,
    "31": with_1801_avus,
    "32": with_many_and_more,
    "34": with_many,
    "35": with_many_and_more,
    "36": lambda session: write(session, f"{WIRE}/m2"),
    "38": with_locked,
    "40": with_big,
}


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.stem)
def test_zone_answers_as_the_real_server_did(recording: Path, zone: EmbeddedZone, open_session: SessionMaker) -> None:
    _, messages = load(recording)
    number = recording.stem[:2]
    session = open_session(zone)
    session.collections.create(WIRE)
    held = PREPARATIONS.get(number, lambda _: None)(session)
    passwords = {**PASSWORDS, "rods": "wrong"} if number == "02" else PASSWORDS
    player = Player(zone.port, passwords, messages)
    real, own = Normaliser(RECORDED_VAULTS), Normaliser((str(zone.directory.resolve() / "vault"),))
    try:
        for index, message in enumerate(messages):
            if message["dir"] == "client":
                if number == "20" and message["intInfo"] == CHECKSUM_CALL:
                    (zone.directory / "vault/home/rods/wire/rot").write_bytes(b"Hello world\n")
                player.send(index)
            else:
                compare(number, player, message, player.receive(index), real, own)
    finally:
        player.close()
        del held


def compare(number: str, player: Player, recorded: Message, answer: Answer, real: Normaliser, own: Normaliser) -> None:
    assert answer.code == recorded["intInfo"]
    expected = recorded["message"] or ""
    if isinstance(expected, dict):
        compare_large(number, expected, answer.message, own)
    elif number == "34" and "myStr" in expected:
        compare_rows_in_any_order(expected, answer.message)
    else:
        for checksum, sent in player.sent_checksums.items():
            if checksum.startswith("sha2:"):
                expected = as_sent(expected, checksum, sent)
        assert own.text(answer.message) == real.text(expected)
    if number == "20" and answer.code < 0:
        # The bytes that rotted are not in the recording, so their checksum is not either.
        rotten = "sha2:" + base64.b64encode(hashlib.sha256(b"Hello world\n").digest()).decode()
        answer.error = answer.error.replace(rotten, "sha2:lQOxE2RYhChajdTxR4qKzh9AHQgu09/zAqFovx8p/VI=")
    assert answer.error == (recorded["error"] or "")
    compare_stream(recorded["bs"], answer.stream)


def as_sent(expected: str, checksum: str, sent: str) -> str:
    """The recorded answer, had the client sent our bytes: their checksum in place of the recorded one."""
    if "<buf>" not in expected:
        return expected.replace(checksum, sent)
    buffer = expected.split("<buf>")[1].split("<")[0]
    own = base64.b64decode(buffer).replace(checksum.encode(), sent.encode())
    return expected.replace(buffer, base64.b64encode(own).decode())


def compare_large(number: str, expected: Message, message: str, own: Normaliser) -> None:
    """A part of which the recording holds length, digest and beginning."""
    assert message.encode().startswith(base64.b64decode(expected["head_b64"]))
    if number in ("30", "32"):  # neither ids nor times nor paths in it: equal to the last byte
        assert hashlib.sha256(message.encode()).hexdigest() == expected["sha256"]
        return
    for vault in own.vaults:
        message = message.replace(vault, RECORDED_VAULTS[0])
    assert len(message.encode()) == expected["bytes"]


def compare_rows_in_any_order(expected: str, message: str) -> None:
    """GenQuery2 without an order: which three of 300 rows come is not the protocol's business, their form is."""
    assert message.startswith("<STR_PI>\n<myStr>[[&quot;f0")
    assert message.endswith("]]</myStr>\n</STR_PI>\n")
    assert message.count("&quot;") == expected.count("&quot;")
    assert message.count("],[") == expected.count("],[") == 2


def compare_stream(expected: str | Message | None, stream: bytes) -> None:
    """Bytes read: as recorded where the recording holds them, else as many of them."""
    if isinstance(expected, dict):
        assert len(stream) == expected["bytes"]
        assert stream == stream[:1] * len(stream), "each block was written as one repeated byte"
    else:
        assert stream == (expected or "").encode()


def test_all_43_recordings_are_there() -> None:
    assert len(RECORDINGS) == 43


def test_a_different_answer_would_be_noticed(zone: EmbeddedZone, open_session: SessionMaker) -> None:
    """The comparison can fail: 'plain' exists already, so moving onto it is refused here and was not in the recording."""
    _, messages = load(next(path for path in RECORDINGS if path.stem.startswith("21")))
    session = open_session(zone)
    session.collections.create(WIRE)
    write(session, f"{WIRE}/plain")
    write(session, f"{WIRE}/moved")
    player = Player(zone.port, PASSWORDS, messages)
    codes = []
    for index, message in enumerate(messages):
        if message["dir"] == "client":
            player.send(index)
        else:
            codes.append((player.receive(index).code, message["intInfo"]))
    player.close()
    assert codes[-1] == (-834000, 0)
