"""Settings: the environment over the file over the default; whatever is wrong is named with where it came from; passwords never shown."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from b2stream.cli import cli
from b2stream.errors import ConfigurationError
from b2stream.settings import Loaded, Settings, load, sections, variable
from b2stream.settings.passwords import password_of
from b2stream.settings.processor import Processor


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no file of this machine decides a test."""
    for name in os.environ:
        if name.startswith("B2STREAM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def toml(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def row(loaded: Loaded, name: str) -> tuple[Any, str]:
    """(value, origin) of a setting."""
    found = {f"{each.section}.{each.key}": (each.value, each.origin) for each in loaded.rows()}
    return found[name]


def test_without_file_and_environment_everything_is_default() -> None:
    loaded = load(environment={})
    assert {each.origin for each in loaded.rows()} == {"default"}
    assert loaded.settings == Settings()


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot say which cores are ours")
@pytest.mark.parametrize(("cores", "processes"), [(1, 0), (2, 1), (3, 1), (4, 2), (8, 2), (64, 2)])
def test_I10_one_process_examines_for_two_cores_and_two_at_most(
    monkeypatch: pytest.MonkeyPatch, cores: int, processes: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert Processor.model_validate({}).examining_processes == processes
    asked = {"B2STREAM_PROCESSOR_EXAMINING_PROCESSES": "4"}
    assert load(environment=asked).settings.processor.examining_processes == 4, "who asks for more gets it"


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = toml(tmp_path, '[kafka]\nbootstrap = "file:1"\npartitions = 3\n[first]\nname = "csc"\n')
    loaded = load(file, {"B2STREAM_KAFKA_BOOTSTRAP": "environment:2"})
    assert row(loaded, "kafka.bootstrap") == ("environment:2", "B2STREAM_KAFKA_BOOTSTRAP")
    assert row(loaded, "kafka.partitions") == (3, str(file))
    assert row(loaded, "first.name") == ("csc", str(file))
    assert row(loaded, "kafka.replication") == (1, "default")


def test_the_command_line_wins_over_all_and_what_it_leaves_out_stays(tmp_path: Path) -> None:
    file = toml(tmp_path, '[gateway]\nstation = "HTM"\nwatch = "/file"\n')
    options = {("gateway", "station"): "SE-Htm", ("gateway", "watch"): None}
    loaded = load(file, {"B2STREAM_GATEWAY_STATION": "GAT"}, options)
    assert row(loaded, "gateway.station") == ("SE-Htm", "command line")
    assert row(loaded, "gateway.watch") == ("/file", str(file))


def test_the_file_is_the_one_given_else_named_by_the_variable_else_in_this_folder(tmp_path: Path) -> None:
    (tmp_path / "b2stream.toml").write_text('[first]\nname = "here"\n')
    named = toml(tmp_path, '[first]\nname = "named"\n')
    given = tmp_path / "given.toml"
    given.write_text('[first]\nname = "given"\n')
    assert row(load(environment={}), "first.name") == ("here", "b2stream.toml")
    assert row(load(environment={"B2STREAM_CONFIG": ""}), "first.name")[0] == "here"
    assert row(load(environment={"B2STREAM_CONFIG": str(named)}), "first.name") == ("named", str(named))
    assert row(load(given, {"B2STREAM_CONFIG": str(named)}), "first.name") == ("given", str(given))


@pytest.mark.parametrize("environment", [{}, {"B2STREAM_CONFIG": "absent.toml"}])
def test_a_file_that_was_named_must_be_there(environment: dict[str, str]) -> None:
    file = None if environment else "absent.toml"
    with pytest.raises(ConfigurationError, match=r"the file absent\.toml is not there"):
        load(file, environment)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[kafka]\nbootstrp = "x"\n', r"kafka\.bootstrp from {file}: Extra inputs"),
        ("[kafka]\npartitions = 0\n", r"kafka\.partitions from {file}: .*greater than or equal to 1"),
        ('[kafka]\npartitions = "many"\n', r"kafka\.partitions from {file}: .*integer"),
        ("[kafka]\nbootstrap = 9092\n", r"kafka\.bootstrap from {file}: .*string"),
        ('[general]\ncommunity = "ICOS!"\n', r"general\.community from {file}"),
        ('[kafak]\nbootstrap = "x"\n', r"{file}: there is no section \[kafak\]; did you mean kafka\?"),
        ("[nothing]\n", r"{file}: there is no section \[nothing\]"),
        ('bootstrap = "x"\n', r"{file}: `bootstrap` stands outside a \[section\]"),
        ("[kafka\n", r"{file}: .*line 1"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_the_file(tmp_path: Path, text: str, named: str) -> None:
    file = toml(tmp_path, text)
    with pytest.raises(ConfigurationError, match=named.format(file=re.escape(str(file)))):
        load(file, {})


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"settings\.toml"):
        load(file, {})


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("B2STREAM_KAFKA_PARTITIONS", "0", r"kafka\.partitions from B2STREAM_KAFKA_PARTITIONS"),
        ("B2STREAM_MONITORING_PORT", "tcp://10.0.0.1:80", r"monitoring\.port from B2STREAM_MONITORING_PORT"),
        ("B2STREAM_KAFKA_BOOTSTRP", "x", r"B2STREAM_KAFKA_BOOTSTRP .*did you mean B2STREAM_KAFKA_BOOTSTRAP\?"),
        ("B2STREAM_KAFKA_REGISTRI_PASSWORD", "x", "did you mean B2STREAM_KAFKA_REGISTRY_PASSWORD"),
        ("B2STREAM_GATEWAY_PASSWORD", "x", "B2STREAM_GATEWAY_PASSWORD from the environment names no setting"),
        ("B2STREAM_PROCESSOR_XYZ", "x", r"B2STREAM_PROCESSOR_XYZ from the environment names no setting"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named_with_the_variable(name: str, value: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load(environment={name: value})


def test_a_wrong_option_of_the_command_line_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"kafka\.partitions from command line"):
        load(environment={}, overrides={("kafka", "partitions"): -1})


def test_variables_that_are_no_settings_are_left_alone() -> None:
    load(
        environment={
            "B2STREAM_FIRST_PASSWORD": "secret",
            "B2STREAM_SECOND_PASSWORD": "secret",
            "B2STREAM_KAFKA_PASSWORD": "secret",
            "B2STREAM_KAFKA_REGISTRY_PASSWORD": "secret",
            "B2STREAM_REDIS_PASSWORD": "secret",
            "B2STREAM_TEST_ZONE": "irods://",
            "B2STREAM_FAIL_AT": "",
            "B2STREAM_GATEWAY_SERVICE_HOST": "10.0.0.1",
            "B2STREAM_GATEWAY_PORT": "tcp://10.0.0.1:80",
            "B2STREAM_PROCESSOR_PORT_8080_TCP_ADDR": "10.0.0.1",
            "B2STREAM_PROCESSOR_SERVICE_PORT_HTTP": "8080",
            "KAFKA_BOOTSTRP": "x",
        }
    )


@pytest.mark.parametrize(("section", "key"), [(name, key) for name, model in sections() for key in model.model_fields])
def test_every_setting_is_documented_and_has_a_variable_of_its_own(section: str, key: str) -> None:
    model = dict(sections())[section]
    about = model.model_fields[key].description or ""
    assert about.rstrip().endswith((".", ")")), f"{section}.{key}"
    assert len(about) > 12
    default = model.model_fields[key].default
    unit = [word for word in ("seconds", "bytes", "hours") if word in about.lower()]
    if isinstance(default, int | float) and key.endswith(("_s", "_bytes", "_h")):
        assert unit, f"{section}.{key} does not say its unit"
    assert variable(section, key) == f"B2STREAM_{section}_{key}".upper()


def test_no_two_settings_share_a_variable() -> None:
    names = [variable(section, key) for section, model in sections() for key in model.model_fields]
    assert len(names) == len(set(names))


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(environment={}).settings.kafka.partitions = 3


def show(*arguments: str, **environment: str) -> str:
    result = CliRunner().invoke(cli, ["config", "show", *arguments], env=environment, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_config_show_json_gives_value_origin_variable_and_meaning_of_each(tmp_path: Path) -> None:
    file = toml(tmp_path, "[processor]\ncommits_in_flight = 3\n")
    shown = json.loads(show("--config", str(file), "--json", B2STREAM_FIRST_NAME="csc"))
    assert set(shown) == {f"{section}.{key}" for section, model in sections() for key in model.model_fields}
    assert shown["processor.commits_in_flight"] == {
        "value": 3,
        "origin": str(file),
        "variable": "B2STREAM_PROCESSOR_COMMITS_IN_FLIGHT",
        "about": "Commits that overlap; each has its own iRODS connection.",
    }
    assert (shown["first.name"]["value"], shown["first.name"]["origin"]) == ("csc", "B2STREAM_FIRST_NAME")
    assert shown["kafka.partitions"]["origin"] == "default"


def test_config_show_prints_every_setting_for_a_person() -> None:
    printed = show(COLUMNS="40")
    for section, model in sections():
        for key in model.model_fields:
            assert f"{section}.{key} = " in printed
            assert f"[{variable(section, key)}]" in printed


@pytest.mark.parametrize("arguments", [(), ("--json",)], ids=["text", "json"])
def test_a_password_is_never_shown(arguments: tuple[str, ...]) -> None:
    printed = show(
        *arguments,
        COLUMNS="220",
        B2STREAM_FIRST_URL="irods://alice:s3cret@host:1247/zone/home",
        B2STREAM_SECOND_URL="irods://bob:p@s3cret%2F@host/zone",
        B2STREAM_REDIS_URL="redis://:s3cret@127.0.0.1:6379/0",
        B2STREAM_KAFKA_REGISTRY_URL="https://user:s3cret@registry:8081",
        B2STREAM_FIRST_PASSWORD="s3cret",
        B2STREAM_KAFKA_PASSWORD="s3cret",
        B2STREAM_KAFKA_REGISTRY_PASSWORD="s3cret",
        B2STREAM_REDIS_PASSWORD="s3cret",
    )
    assert "s3cret" not in printed
    if arguments:
        shown = json.loads(printed)
        assert shown["first.url"]["value"] == "irods://alice:***@host:1247/zone/home"
        assert shown["second.url"]["value"] == "irods://bob:***@host/zone"
        assert shown["redis.url"]["value"] == "redis://:***@127.0.0.1:6379/0"
        assert shown["kafka.registry_url"]["value"] == "https://user:***@registry:8081"


def test_a_password_among_the_parameters_of_an_address_is_not_shown_either() -> None:
    loaded = load(environment={"B2STREAM_REDIS_URL": "redis://host:6379/0?db=1&password=s3cret&ssl=true"})
    assert row(loaded, "redis.url")[0] == "redis://host:6379/0?db=1&password=***&ssl=true"


def test_an_address_without_a_password_is_shown_as_it_is() -> None:
    address = "irods://alice@host:1247/zone/home/alice:b@c"
    assert row(load(environment={"B2STREAM_FIRST_URL": address}), "first.url")[0] == address
    assert row(load(environment={"B2STREAM_REDIS_URL": "redis://host:6379/0"}), "redis.url")[0] == "redis://host:6379/0"


def test_a_password_comes_from_the_file_else_from_the_variable_else_there_is_none(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from file\n")
    file.chmod(0o600)
    environment = {"B2STREAM_REDIS_PASSWORD": "from environment"}
    assert password_of("redis", str(file), environment=environment) == "from file"
    assert password_of("redis", "", environment=environment) == "from environment"
    assert password_of("redis", "", environment={}) is None
    assert password_of("kafka", "", "registry_password", {"B2STREAM_KAFKA_REGISTRY_PASSWORD": "r"}) == "r"
    with pytest.raises(ConfigurationError, match="absent"):
        password_of("redis", str(tmp_path / "absent"), environment=environment)


def test_a_password_file_that_others_can_read_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    file.chmod(0o644)
    assert password_of("redis", str(file)) == "s3cret"
    assert "chmod 600" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
@pytest.mark.parametrize(("mode", "is_ours", "is_said"), [
    (0o440, True, True), (0o440, False, False), (0o444, False, True), (0o400, True, False),
])  # fmt: skip
def test_a_secret_that_is_mounted_for_our_group_is_as_it_should_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
    mode: int, is_ours: bool, is_said: bool,
) -> None:  # fmt: skip
    """Kubernetes mounts it as root's, readable by the pod's group."""
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    file.chmod(mode)
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner if is_ours else owner + 1)
    assert password_of("redis", str(file)) == "s3cret"
    assert ("chmod 600" in caplog.text) == is_said


def test_an_error_does_not_show_a_password_either() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(environment={"B2STREAM_KAFKA_PARTITIONS": "s3cret", "B2STREAM_FIRST_URL": "irods://a:s3cret@h/z"})
    assert "s3cret" not in str(caught.value)
