"""`b2stream station` on a real Kafka: what is published is known at once, and what would break a promise is refused."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2stream.batches.signing import public_key_of
from b2stream.cli import cli
from b2stream.contracts import topics
from b2stream.contracts.envelopes import Headers
from b2stream.contracts.framing import Framing
from b2stream.errors import ConfigurationError
from b2stream.kafka.admin import Admin
from b2stream.settings import load
from b2stream.stations.files import BadDescription, read_description
from b2stream.stations.keys import make_key
from b2stream.stations.known import KnownStations, publish
from b2stream.stations.reviewed import signature_headers
from tests.waiting import PATIENCE_S, until

PARTITIONS = 3
Call = Callable[..., Result]


@pytest.fixture
def call(kafka_bootstrap: str, community: str, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls b2stream with a community of its own, whose topic of stations exists."""
    for name, value in {
        "B2STREAM_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "B2STREAM_KAFKA_PARTITIONS": str(PARTITIONS),
        "B2STREAM_GENERAL_COMMUNITY": community,
    }.items():
        monkeypatch.setenv(name, value)
    topic = topics.STATIONS.full_name(community)
    Admin(kafka_bootstrap).create_topic(topic, PARTITIONS, 1, topics.STATIONS.config())
    return lambda *arguments: CliRunner().invoke(cli, ["station", *arguments])


def described(folder: Path, station: str, *keys: str, name: str = "A station") -> str:
    folder.mkdir(exist_ok=True)
    file = folder / f"{station}.toml"
    head = f'id = "{station}"\nname = "{name}"\ntheme = "ecosystem"\n'
    file.write_text("\n".join([head, *keys]), encoding="utf-8")
    return str(file)


def listed(call: Call) -> dict[str, Any]:
    told = call("list", "--json")
    assert told.exit_code == 0, told.exception
    return {each["station"]: each for each in json.loads(told.stdout)["stations"]}


def test_keys_are_made_published_exchanged_and_never_removed(call: Call, tmp_path: Path) -> None:
    old, new, other = (call("keygen", str(tmp_path / f"{name}.key")).stdout for name in ("old", "new", "other"))
    assert call("list").stdout == ""
    files = [described(tmp_path, "SE-Htm", old), described(tmp_path, "SE-Nor", other)]
    done = call("publish", *files)
    assert done.stdout.splitlines() == [
        f"{station}: published ({file})" for station, file in zip(("SE-Htm", "SE-Nor"), files, strict=True)
    ]
    assert call("publish", files[0]).stdout == f"SE-Htm: is published already ({files[0]})\n"
    assert [len(each["keys"]) for each in listed(call).values()] == [1, 1]

    both = call("publish", described(tmp_path, "SE-Htm", old, new))
    assert both.exit_code == 0
    assert len(listed(call)["SE-Htm"]["keys"]) == 2
    for keys, why in (((new,), "never removed"), ((old, new, other), "is of SE-Htm and of SE-Nor")):
        refused = call("publish", described(tmp_path, "SE-Htm", *keys))
        assert isinstance(refused.exception, BadDescription)
        assert why in str(refused.exception)
    ended = old.rstrip() + "\nvalid_until = 2999-01-01T00:00:00Z\n"
    assert call("publish", described(tmp_path, "SE-Htm", ended, new)).exit_code == 0
    assert [each["valid_until"] for each in listed(call)["SE-Htm"]["keys"]] == ["2999-01-01T00:00:00.000000Z", None]
    assert call("list").stdout.splitlines() == [
        "SE-Htm  A station, ecosystem; 2 of 2 keys valid; 0 series",
        "SE-Nor  A station, ecosystem; 1 of 1 keys valid; 0 series",
    ]


def test_all_descriptions_are_good_or_none_is_published(call: Call, tmp_path: Path) -> None:
    good, bad = described(tmp_path, "SE-Htm"), described(tmp_path, "SE-Nor", "[[keys]]\nid = 'x'\n")
    refused = call("publish", good, bad)
    assert isinstance(refused.exception, BadDescription)
    assert "SE-Nor.toml: keys 1: public: is missing" in str(refused.exception)
    assert listed(call) == {}


def test_who_lists_series_is_told_what_becomes_of_files_that_no_format_reads(call: Call, tmp_path: Path) -> None:
    one, files = (f'[[series]]\nid = "{name}"\ndata_level = 0\n' for name in ("EC", "files"))
    assert "SE-Htm: series files is not listed" in call("publish", described(tmp_path, "SE-Htm", one)).stderr
    assert "not listed" not in call("publish", described(tmp_path, "SE-Htm", one, files)).stderr
    assert "not listed" not in call("publish", described(tmp_path, "SE-Nor")).stderr


def test_show_tells_one_station(call: Call, tmp_path: Path) -> None:
    position = "[position]\nlatitude = 56.1\nlongitude = 13.4\n"
    series = '[[series]]\nid = "EC"\ndata_level = 0\nvariables = [{name = "CO2", unit = "ppm"}]\n'
    call("publish", described(tmp_path, "SE-Htm", position, series))
    assert call("show", "SE-Htm").stdout.splitlines() == [
        "SE-Htm: A station, ecosystem",
        "position: 56.1 N, 13.4 E",
        "no key",
        "series EC, level 0: CO2 [ppm]",
    ]
    assert json.loads(call("show", "SE-Htm", "--json").stdout)["series"][0]["id"] == "EC"
    unknown = call("show", "SE-Nor")
    assert unknown.exit_code == 1
    assert "SE-Nor is not described" in unknown.stderr


def test_a_program_that_follows_learns_of_each_change(call: Call, tmp_path: Path) -> None:
    call("publish", described(tmp_path, "SE-Htm"))
    known = KnownStations.of(load().settings, Framing(), "test")
    known.start()
    try:
        assert known.wait_until_loaded(PATIENCE_S)
        assert known.descriptions["SE-Htm"].name == "A station"
        call("publish", described(tmp_path, "SE-Htm", name="Hyltemossa"), described(tmp_path, "SE-Nor"))
        until(lambda: known.descriptions["SE-Htm"].name == "Hyltemossa", "the change")
        until(lambda: "SE-Nor" in known.descriptions, "the new station")
    finally:
        known.close()


def test_I9_a_key_is_not_taken_away_by_whoever_may_write_to_the_topic_and_the_right_one_is_published_again(
    call: Call, tmp_path: Path
) -> None:
    ours, theirs = (call("keygen", str(tmp_path / f"{name}.key")).stdout for name in ("ours", "theirs"))
    right = described(tmp_path, "SE-Htm", ours)
    assert call("publish", right).exit_code == 0
    before = listed(call)
    forge(described(tmp_path / "forged", "SE-Htm", theirs))
    assert listed(call) == before
    assert call("publish", right).stdout == f"SE-Htm: published ({right})\n", "the forgery lies on top of it"
    assert call("publish", right).stdout == f"SE-Htm: is published already ({right})\n"


def test_I9_where_reviewers_are_named_only_what_they_signed_is_known(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = (call("keygen", str(tmp_path / f"{name}.key")).stdout for name in ("ours", "theirs"))
    reviewer = tmp_path / "reviewer.key"
    public = base64.b64encode(public_key_of(make_key(reviewer))).decode()
    right, beside = described(tmp_path, "SE-Htm", ours), described(tmp_path / "forged", "SE-Htm", ours, theirs)
    assert call("publish", right).exit_code == 0
    monkeypatch.setenv("B2STREAM_GENERAL_REVIEWER_KEYS", public)
    assert listed(call) == {}
    assert isinstance(call("publish", right).exception, ConfigurationError)
    signed = call("publish", "--sign-with", str(reviewer), right)
    assert signed.stdout == f"SE-Htm: published ({right})\n", signed.exception
    forge(beside)
    forge(beside, make_key(tmp_path / "attacker.key"))
    assert [len(each["keys"]) for each in listed(call).values()] == [1]
    assert call("publish", "--sign-with", str(reviewer), beside).exit_code == 0
    assert [len(each["keys"]) for each in listed(call).values()] == [2]


def forge(file: str, private: Ed25519PrivateKey | None = None) -> None:
    """Publish a description as somebody does who asks nobody, signed with a key of their own where one is given."""

    def sign(fingerprint: str, body: bytes) -> Headers:
        return [] if private is None else signature_headers(fingerprint, body, private, time.time_ns() // 1000)

    publish(load().settings, Framing(), [read_description(Path(file))], PATIENCE_S, sign)


def test_without_the_topic_the_cure_is_named(kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B2STREAM_KAFKA_BOOTSTRAP", kafka_bootstrap)
    monkeypatch.setenv("B2STREAM_GENERAL_COMMUNITY", "test-nobody")
    failed = CliRunner().invoke(cli, ["station", "list"])
    assert isinstance(failed.exception, ConfigurationError)
    assert "topics create" in str(failed.exception)
