"""Native authentication's digest, and the levels of access."""

import base64
from pathlib import Path

import pytest

from b2stream.sandbox.zone.authentication import NativeAuthentication, digest
from b2stream.sandbox.zone.catalogue import Catalogue
from b2stream.sandbox.zone.numbers import Code, Refusal
from b2stream.sandbox.zone.people import found_user, found_zone
from b2stream.sandbox.zone.permissions import access_level


def test_the_digest_is_the_one_that_a_real_exchange_recorded() -> None:
    """Challenge and digest of the first recording, whose zone's password was `rods`."""
    challenge = "29fd7992998fd1bfbb969d0e10416d7a98cbfbd8d7424f59be7bed1a7fbd029a"
    assert base64.b64encode(digest(challenge, "rods")) == b"YPxmB9gxqYmGHSz/LyTUDA=="


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    with catalogue.change() as db:
        found_zone(db, "cscZone", "demoResc", "/vault")
        found_user(db, "cscZone", "rods", "secret", administrator=True)
    return catalogue


def answer(catalogue: Catalogue, password: str, name: str = "rods") -> str | None:
    authentication = NativeAuthentication()
    who = {"user_name": name, "zone_name": "cscZone", "scheme": "native"}
    first, nobody = authentication.answer(catalogue.reader(), {**who, "next_operation": "auth_agent_auth_request"})
    assert nobody is None
    given = base64.b64encode(digest(str(first["request_result"]), password)).decode()
    second = {**first, "next_operation": "auth_agent_auth_response", "digest": given}
    _, user = authentication.answer(catalogue.reader(), second)
    return user.name if user else None


def test_who_knows_the_password_gets_in(catalogue: Catalogue) -> None:
    assert answer(catalogue, "secret") == "rods"


@pytest.mark.parametrize(
    ("name", "password", "code"), [("rods", "wrong", -826000), ("rods", "", -826000), ("nobody", "x", -827000)]
)
def test_who_does_not_is_told_why(catalogue: Catalogue, name: str, password: str, code: int) -> None:
    with pytest.raises(Refusal) as caught:
        answer(catalogue, password, name)
    assert caught.value.code == code


def test_an_answer_without_a_challenge_is_refused(catalogue: Catalogue) -> None:
    request: dict[str, object] = {"next_operation": "auth_agent_auth_response", "user_name": "rods"}
    with pytest.raises(Refusal):
        NativeAuthentication().answer(catalogue.reader(), request)


def test_two_challenges_are_never_alike(catalogue: Catalogue) -> None:
    request: dict[str, object] = {"next_operation": "auth_agent_auth_request"}
    challenges = {NativeAuthentication().answer(catalogue.reader(), request)[0]["request_result"] for _ in range(100)}
    assert len(challenges) == 100


@pytest.mark.parametrize(
    ("name", "level"),
    [("read", 1050), ("read_object", 1050), ("read object", 1050), ("write", 1120), ("own", 1200), ("null", 1000)],
)
def test_levels_have_several_names(name: str, level: int) -> None:
    assert access_level(name) == level


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        access_level("everything")
    assert caught.value.code == Code.CAT_INVALID_ARGUMENT
