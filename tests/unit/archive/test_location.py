"""Where a centre is and how to get in: URLs, parameters, password sources, iRODS's own files."""

import json
import logging
import os
import ssl
from pathlib import Path

import pytest
from irods import password_obfuscation

from b2stream.archive.irods.session import Link, tls_context
from b2stream.archive.location import IrodsLocation, open_store, parse_location
from b2stream.archive.memory import MemoryStore
from b2stream.errors import B2streamError, ConfigurationError

URL = "irods://alice@irods.example.org:2247/cscZone/home/alice/icos"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def irods_environment(environment: dict[str, str], **entries: object) -> None:
    folder = Path(environment["HOME"]) / ".irods"
    folder.mkdir(exist_ok=True)
    account = {"irods_host": "irods.example.org", "irods_port": 2247, "irods_user_name": "alice"}
    (folder / "irods_environment.json").write_text(json.dumps(account | entries))


def parse(url: str, environment: dict[str, str], **settings: str) -> IrodsLocation:
    return parse_location(url, environment=environment, **settings)


def test_a_url_says_everything(environment: dict[str, str]) -> None:
    location = parse(URL, environment)
    assert (location.host, location.port) == ("irods.example.org", 2247)
    assert (location.user, location.user_zone, location.zone) == ("alice", "cscZone", "cscZone")
    assert location.root == "/cscZone/home/alice/icos"
    assert location.staging_root == "/cscZone/home/alice/icos/.staging"
    assert (location.tls, location.auth) == (False, "native")


def test_port_1247_is_the_default(environment: dict[str, str]) -> None:
    assert parse("irods://a@h/z/home/a", environment).port == 1247


def test_an_ipv6_address_stands_in_brackets_also_in_addresses_of_objects(environment: dict[str, str]) -> None:
    location = parse("irods://a@[2001:db8::1]:1247/z/home/a", environment)
    assert location.host == "2001:db8::1"
    assert location.url("s/o") == "irods://[2001:db8::1]:1247/z/home/a/s/o"


def test_percent_encoding_is_decoded_in_and_encoded_out(environment: dict[str, str]) -> None:
    location = parse("irods://j%C3%B6rg%23otherZone@h/z/home/a%20b/", environment)
    assert (location.user, location.user_zone) == ("jörg", "otherZone")
    assert location.root == "/z/home/a b"
    assert location.url("a%7Eb~c") == "irods://h:1247/z/home/a%20b/a%257Eb~c"


def test_staging_may_lie_elsewhere(environment: dict[str, str]) -> None:
    assert parse(URL, environment, staging_root="/cscZone/home/alice/staging/").staging_root == (
        "/cscZone/home/alice/staging"
    )
    assert parse(URL + "?staging=/cscZone/tmp", environment).staging_root == "/cscZone/tmp"


@pytest.mark.parametrize(
    "url",
    [
        "http://a@h/z/home",
        "irods://a@h",
        "irods://a@h/",
        "irods://a@h/z/../y",
        "irods://a@h:port/z/home",
        "irods://a@[h/z/home",
        "irods:///z/home",
        "irods://h/z/home",
        "irods://a@h/z/home?tsl=require",
        "irods://a@h/z/home?tls=maybe",
        "irods://a@h/z/home?auth=gsi",
        "irods://a@h/z/home?tls",
        "irods://a@h/z/home?auth=pam_password&tls=refuse",
        "",
    ],
)
def test_a_url_that_cannot_work_is_configuration(environment: dict[str, str], url: str) -> None:
    with pytest.raises(ConfigurationError):
        parse(url, environment)


# Passwords ------------------------------------------------------------------------------------------------------------


def test_a_password_in_the_url_works_with_a_warning_and_is_shown_nowhere(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        location = parse("irods://alice:s3cr%40t@h/z/home/alice", environment)
    assert location.secret.value == "s3cr@t"
    assert "for tests only" in caplog.text
    shown = caplog.text + repr(location) + str(location) + location.url("a") + location.address
    assert "s3cr" not in shown


@pytest.mark.parametrize("bad", ["irods://a:s3cret@h", "irods://a:s3cret@h:x/z/home", "http://a:s3cret@h/z/home"])
def test_no_error_shows_the_password(environment: dict[str, str], bad: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(bad, environment)
    assert "s3cret" not in str(raised.value)


def test_the_password_file_comes_before_the_environment_and_says_so(
    environment: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "password"
    file.write_text("from the file\n")
    file.chmod(0o600)
    location = parse(URL, environment | {"B2STREAM_FIRST_PASSWORD": "x"}, role="first", password_file=str(file))
    assert location.secret.file == file
    assert caplog.messages == [f"B2STREAM_FIRST_PASSWORD is not used: the password file {file} comes first"]
    caplog.clear()
    parse(URL, environment, role="first", password_file=str(file))
    assert not caplog.messages


def test_each_role_has_a_variable_of_its_own(environment: dict[str, str]) -> None:
    environment |= {"B2STREAM_FIRST_PASSWORD": "one", "B2STREAM_SECOND_PASSWORD": "two"}
    assert parse(URL, environment, role="first").secret.value == "one"
    assert parse(URL, environment, role="second").secret.value == "two"
    assert parse(URL, environment).secret.value is None
    assert "two" not in repr(parse(URL, environment, role="second"))


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_password_file_that_others_can_read_is_warned_of(
    environment: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "password"
    file.write_text("x\n")
    file.chmod(0o644)
    parse(URL, environment, password_file=str(file))
    assert "chmod 600" in caplog.text
    caplog.clear()
    file.chmod(0o600)
    parse(URL, environment, password_file=str(file))
    assert caplog.text == ""


@pytest.mark.parametrize("content", [None, "", "\n", b"\xff\xfe"])
def test_a_password_file_that_gives_none_is_configuration(
    environment: dict[str, str], tmp_path: Path, content: str | bytes | None
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    file_url = "irods://alice@127.0.0.1:1/z/home/alice"
    with pytest.raises(ConfigurationError, match="password file"):
        Link(parse(file_url, environment, password_file=str(file)), 1.0).connected("connecting")


def test_without_any_password_the_error_tells_where_one_may_stand(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="password_file"):
        Link(parse(URL, environment), 1.0).connected("connecting")


# iRODS's own files ----------------------------------------------------------------------------------------------------


def test_irods_environment_gives_host_user_and_port_where_the_url_has_none(environment: dict[str, str]) -> None:
    irods_environment(environment, irods_zone_name="homeZone", irods_default_resource="fast")
    location = parse("irods:///cscZone/home/alice", environment)
    assert (location.host, location.port, location.user) == ("irods.example.org", 2247, "alice")
    assert (location.user_zone, location.zone, location.resource) == ("homeZone", "cscZone", "fast")
    assert location.secret.irods_a == Path(environment["HOME"]) / ".irods" / ".irodsA"


@pytest.mark.parametrize(
    "url", ["irods://bob@irods.example.org/z/home/bob", "irods://alice@elsewhere.org/z/home/alice"]
)
def test_what_irods_environment_says_of_another_account_does_not_count(environment: dict[str, str], url: str) -> None:
    irods_environment(environment, irods_client_server_policy="CS_NEG_REQUIRE")
    location = parse(url, environment)
    assert not location.tls
    assert location.secret.irods_a is None


def test_tls_and_pam_come_from_irods_environment_and_the_url_wins(environment: dict[str, str]) -> None:
    irods_environment(
        environment,
        irods_client_server_policy="CS_NEG_REQUIRE",
        irods_ssl_ca_certificate_file="/etc/ca.pem",
        irods_ssl_verify_server="cert",
        irods_authentication_scheme="PAM",
    )
    location = parse(URL, environment)
    assert (location.tls, location.ca_file, location.verify) == (True, "/etc/ca.pem", "cert")
    assert location.auth == "pam_password"
    location = parse(URL + "?auth=native&tls=refuse&verify=none&ca=/other.pem", environment)
    assert (location.tls, location.ca_file, location.verify) == (False, "/other.pem", "none")
    assert location.auth == "native"


def test_pam_makes_tls_required(environment: dict[str, str]) -> None:
    assert parse(URL + "?auth=pam_password", environment).tls


def test_irods_policy_dont_care_means_tls_only_for_pam(environment: dict[str, str]) -> None:
    irods_environment(environment, irods_client_server_policy="CS_NEG_DONT_CARE")
    assert not parse(URL, environment).tls


@pytest.mark.parametrize("content", ["{", "[]", "GSI"])
def test_an_irods_environment_that_cannot_be_used_is_configuration(environment: dict[str, str], content: str) -> None:
    irods_environment(environment, irods_authentication_scheme="gsi")
    if content != "GSI":
        (Path(environment["HOME"]) / ".irods" / "irods_environment.json").write_text(content)
    with pytest.raises(ConfigurationError):
        parse(URL, environment)


@pytest.mark.parametrize("scheme", ["pam_interactive", "openid", "gsi"])
def test_with_irods_a_any_scheme_of_irods_environment_is_welcome(environment: dict[str, str], scheme: str) -> None:
    irods_environment(environment, irods_authentication_scheme=scheme)
    with pytest.raises(ConfigurationError, match=scheme):
        parse(URL, environment)
    irods_a = Path(environment["HOME"]) / ".irods" / ".irodsA"
    irods_a.write_text(password_obfuscation.encode("secret"))
    location = parse(URL, environment)
    assert (location.auth, location.secret.irods_a) == ("native", irods_a)


def test_another_password_than_that_of_irods_a_is_for_the_scheme_which_must_be_known(
    environment: dict[str, str], tmp_path: Path
) -> None:
    irods_environment(environment, irods_authentication_scheme="pam_interactive")
    (Path(environment["HOME"]) / ".irods" / ".irodsA").write_text(password_obfuscation.encode("secret"))
    with pytest.raises(ConfigurationError, match="pam_interactive"):
        parse(URL, environment, password_file=str(tmp_path / "password"))


def test_other_places_of_irods_files_are_named_by_irods_own_variables(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "env.json").write_text(json.dumps({"irods_host": "h", "irods_user_name": "u"}))
    environment |= {
        "IRODS_ENVIRONMENT_FILE": str(tmp_path / "env.json"),
        "IRODS_AUTHENTICATION_FILE": str(tmp_path / "a"),
    }
    location = parse("irods:///z/home/u", environment)
    assert (location.host, location.port, location.secret.irods_a) == ("h", 1247, tmp_path / "a")


def test_the_password_in_irods_a_is_read_anew_for_each_connection(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    irods_environment(environment, irods_host="127.0.0.1", irods_port=1)
    seen: list[tuple[str, str]] = []

    class Refusing:
        def __init__(self, **account: str) -> None:
            seen.append((account["password"], account["irods_authentication_scheme"]))
            raise ConnectionRefusedError

    monkeypatch.setattr("b2stream.archive.irods.session.iRODSSession", Refusing)
    location = parse("irods:///z/home/alice?auth=pam_password", environment)
    for password in ("first", "second"):
        assert location.secret.irods_a is not None
        location.secret.irods_a.write_text(password_obfuscation.encode(password))
        with pytest.raises(B2streamError):
            Link(location, 1.0).connected("connecting")
    assert seen == [("first", "native"), ("second", "native")]  # what `.irodsA` holds is for native, PAM or not


# TLS ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verify", "hostname", "mode"),
    [("hostname", True, ssl.CERT_REQUIRED), ("cert", False, ssl.CERT_REQUIRED), ("none", False, ssl.CERT_NONE)],
)
def test_tls_verifies_unless_told_not_to_also_without_a_ca_file(
    environment: dict[str, str], verify: str, hostname: bool, mode: ssl.VerifyMode
) -> None:
    context = tls_context(parse(f"{URL}?tls=require&verify={verify}", environment))
    assert context.check_hostname is hostname
    assert context.verify_mode is mode


def test_a_ca_file_that_cannot_be_read_is_configuration(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="CA file"):
        tls_context(parse(URL + "?tls=require&ca=/no/such/file.pem", environment))


# Stores in memory -----------------------------------------------------------------------------------------------------


def test_memory_is_a_new_store_each_time_and_with_a_name_one_for_the_process() -> None:
    store = open_store("memory:", "csc")
    assert isinstance(store, MemoryStore)
    assert store is not open_store("memory:", "csc")
    shared = open_store("memory:of-this-test", "csc")
    assert shared is open_store("memory:of-this-test", "csc")
    assert shared.centre == "csc"
