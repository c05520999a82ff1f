"""A Handle server out of the settings, and what is refused: each time one line that names the setting."""

import pytest

from b2stream.errors import ConfigurationError
from b2stream.handles.opening import open_handles, prefixes_from
from b2stream.handles.records import Prefixes
from b2stream.settings import load

WHOLE = {
    "B2STREAM_HANDLE_URL": "https://hdl.example.org:8000",
    "B2STREAM_HANDLE_USER": "300:21.T1/USER01",
    "B2STREAM_FIRST_PREFIX": "21.T1",
}


def test_prefixes_and_administrator_come_from_the_settings() -> None:
    more = {
        "B2STREAM_SECOND_PREFIX": "21.T2",
        "B2STREAM_HANDLE_COMMUNITY_PREFIX": "11676",
        "B2STREAM_HANDLE_ADMINISTRATOR": "300:21.T1/USER01",
    }
    found = prefixes_from(load(environment=WHOLE | more).settings)
    assert found == Prefixes("21.T1", "21.T2", "11676", "300:21.T1/USER01")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"B2STREAM_FIRST_PREFIX": ""}, r"first\.prefix"),
        ({"B2STREAM_SECOND_PREFIX": "21.T1"}, r"first\.prefix and second\.prefix"),
        ({"B2STREAM_HANDLE_COMMUNITY_PREFIX": "21.T1"}, r"handle\.community_prefix"),
    ],
)
def test_prefixes_that_would_overwrite_one_another_are_refused(change: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        prefixes_from(load(environment=WHOLE | change).settings)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"B2STREAM_HANDLE_URL": ""}, r"handle\.url"),
        ({"B2STREAM_HANDLE_URL": "hdl.example.org"}, r"handle\.url"),
        ({"B2STREAM_HANDLE_USER": ""}, r"handle\.user"),
        ({"B2STREAM_HANDLE_CERTIFICATE_FILE": "/nonexistent.pem"}, r"handle\.certificate_file"),
        ({"B2STREAM_HANDLE_CA_FILE": "/nonexistent.pem"}, r"handle\.ca_file"),
        ({"B2STREAM_HANDLE_PASSWORD_FILE": "/nonexistent"}, "/nonexistent"),
    ],
)
def test_a_handle_server_that_cannot_be_used_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str], named: str
) -> None:
    monkeypatch.setenv("B2STREAM_HANDLE_PASSWORD", "a secret of this test")
    with pytest.raises(ConfigurationError, match=named) as raised:
        open_handles(load(environment=WHOLE | change).settings.handle)
    assert "a secret" not in str(raised.value)


def test_without_a_password_nobody_may_write_and_with_one_of_the_environment_somebody_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("B2STREAM_HANDLE_PASSWORD", raising=False)
    settings = load(environment=WHOLE).settings.handle
    with pytest.raises(ConfigurationError, match=r"handle\.user with its password"):
        open_handles(settings)
    monkeypatch.setenv("B2STREAM_HANDLE_PASSWORD", "a secret of this test")
    open_handles(settings).close()


@pytest.mark.parametrize("administrator", ["USER01", "300:", "x:21.T1/USER01", "300:21.T1"])
def test_an_administrator_that_is_none_is_refused(administrator: str) -> None:
    with pytest.raises(ConfigurationError, match=r"handle\.administrator"):
        load(environment=WHOLE | {"B2STREAM_HANDLE_ADMINISTRATOR": administrator})
