"""docker-compose.yml: as its published schema asks, and naming only what the code has. No engine is at hand."""

import re
from typing import Any

import pytest
import yaml

from b2stream import __version__
from b2stream.contracts import topics
from b2stream.errors import ConfigurationError
from b2stream.registry import Registry
from tests.integration.registry.apicurio import kafka_storage
from tests.unit.deployment.program import REPOSITORY, VARIABLE, check_command, known_variables, settings_from
from tests.unit.deployment.published import COMPOSE, against_the_schema

TEXT = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
PROGRAMS = ("gateway", "processor", "replicator", "registrar")
SERVERS = {"kafka", "redis", "registry"}
SERVICE_KEYS = {
    "build", "cap_add", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "platform", "ports",
    "profiles", "read_only", "restart", "secrets", "security_opt", "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip
EXAMPLE = {
    name: value
    for name, _, value in (
        line.partition("=")
        for line in (REPOSITORY / ".env.example").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
}

Service = dict[str, Any]


def interpolated(text: str, given: dict[str, str]) -> str:
    """As Compose does it: `${A:?why}` must be given, `${A:-b}` is `b` otherwise."""

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if given.get(name):
            return given[name]
        if operator == ":?":
            raise KeyError(name)
        return rest or ""

    return re.sub(r"\$\{(\w+)(?:(:\?|:-)([^}]*))?\}", value, text)


@pytest.fixture
def document() -> dict[str, Any]:
    content = yaml.safe_load(interpolated(TEXT, EXAMPLE))
    assert isinstance(content, dict)
    return content


@pytest.fixture
def services(document: dict[str, Any]) -> dict[str, Service]:
    return dict(document["services"])


def seconds(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([sm])", duration).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60}[unit]


def environment(service: Service) -> dict[str, str]:
    """What the program gets; a variable without a value is left out."""
    return {name: value for name, value in service.get("environment", {}).items() if value is not None}


def test_it_is_what_the_published_schema_asks_for(document: dict[str, Any], services: dict[str, Service]) -> None:
    assert against_the_schema(COMPOSE, document) == []
    services["processor"]["healthchecks"] = services["kafka"]["healthcheck"]["intervall"] = "5s"
    wrong = "".join(against_the_schema(COMPOSE, document))
    assert "intervall" in wrong, "the check can fail"
    assert "healthchecks" in wrong


def test_the_form_is_that_of_compose(document: dict[str, Any], services: dict[str, Service]) -> None:
    assert {key for key in document if not key.startswith("x-")} == {"name", "services", "secrets", "volumes"}
    assert set(services) == {*PROGRAMS, *SERVERS, "topics"}
    for name, service in services.items():
        assert set(service) <= SERVICE_KEYS, name
        for key, value in service.get("environment", {}).items():
            assert value is None or isinstance(value, str), f"{name}.{key}: YAML would make a number or a truth of it"


def first_steps() -> list[list[str]]:
    """The commands that the file's own comment gives, in their order; what stands after two spaces is remark."""
    heading = TEXT.partition("# Kafka, Redis and the registry")[0].partition("# One Kafka broker")[0]
    return [line.partition("  ")[0].split() for line in re.findall(r"^#   (\S.*)$", heading, re.MULTILINE)]


def test_the_first_steps_come_in_an_order_that_works(document: dict[str, Any], services: dict[str, Service]) -> None:
    steps = first_steps()
    keygen, up, publish = (
        next(number for number, step in enumerate(steps) if set(words) <= set(step))
        for words in (("b2stream", "keygen"), ("compose", "up"), ("compose", "run", "publish"))
    )
    assert steps[0] == ["cp", ".env.example", ".env"], "without it Compose refuses every command"
    key = steps[keygen][-1]
    assert f"./{key}" in {secret["file"] for secret in document["secrets"].values()}
    assert steps.index(["mkdir", key.partition("/")[0]]) < keygen < up, "the gateway starts with its key"
    assert up < publish, "topics and registry must be there"
    assert {"-d", "--build"} <= set(steps[up]), "else nobody gets to the next step"


def test_the_first_steps_are_commands_that_exist(services: dict[str, Service]) -> None:
    for step in first_steps():
        if step[0] == "b2stream":
            check_command(step[1:])
    run = first_steps()[-1]
    service = run.index("topics")
    assert run[service] in services
    check_command(run[service + 1 :])


def test_everything_that_is_referred_to_is_declared(document: dict[str, Any], services: dict[str, Service]) -> None:
    mounted, secrets = set(), set()
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        secrets |= set(service.get("secrets", []))
        mounted |= {entry.partition(":")[0] for entry in service.get("volumes", []) if isinstance(entry, str)}
    assert mounted == set(document["volumes"])
    assert secrets == set(document["secrets"])


def test_every_command_exists(services: dict[str, Service]) -> None:
    for name in PROGRAMS:
        assert services[name]["command"] == [name]
    assert services["topics"]["command"] == ["topics", "create"]
    for name in (*PROGRAMS, "topics"):
        check_command(services[name]["command"])


def test_every_variable_is_a_setting_and_every_value_is_accepted(services: dict[str, Service]) -> None:
    assert set(VARIABLE.findall(TEXT)) <= known_variables()
    for name in (*PROGRAMS, "topics"):
        assert set(services[name]["environment"]) <= known_variables()
        settings_from(environment(services[name]))


def test_the_check_of_values_can_fail(services: dict[str, Service]) -> None:
    with pytest.raises(ConfigurationError):
        settings_from({**environment(services["processor"]), "B2STREAM_KAFKA_PARTITIONS": "many"})


@pytest.mark.parametrize("name", ["B2STREAM_FIRST_URL", "B2STREAM_SECOND_NAME", "STATION_FOLDER"])
def test_what_must_be_told_is_asked_for(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        interpolated(TEXT, {key: value for key, value in EXAMPLE.items() if key != name})


def test_the_example_names_what_the_file_asks_for_and_no_password() -> None:
    assert set(re.findall(r"\$\{(\w+):\?", TEXT)) <= set(EXAMPLE) <= set(re.findall(r"\$\{(\w+)", TEXT))
    for value in EXAMPLE.values():
        assert not re.search(r"://[^/@]+:[^/@]+@", value)


def test_the_programs_get_what_they_refuse_to_start_without(services: dict[str, Service]) -> None:
    processor, replicator, gateway = (
        settings_from(environment(services[name])) for name in ("processor", "replicator", "gateway")
    )
    assert processor.first.url
    assert replicator.first.name != replicator.second.name
    assert replicator.first.url != replicator.second.url
    assert gateway.gateway.station
    mounts = {mount["target"]: mount for mount in services["gateway"]["volumes"] if isinstance(mount, dict)}
    assert mounts[gateway.gateway.watch]["read_only"] is True
    assert gateway.gateway.journal.startswith("/var/lib/b2stream/")


def test_all_programs_see_one_kafka_with_one_number_of_partitions(services: dict[str, Service]) -> None:
    kafkas = {settings_from(environment(services[name])).kafka for name in (*PROGRAMS, "topics")}
    assert len(kafkas) == 1
    host, _, port = kafkas.pop().bootstrap.partition(":")
    assert f"INTERNAL://{host}:{port}" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"INTERNAL://:{port}" in services["kafka"]["environment"]["KAFKA_LISTENERS"]


def test_redis_is_where_the_processor_looks_for_it(services: dict[str, Service]) -> None:
    assert settings_from(environment(services["processor"])).redis.url == "redis://redis:6379/0"


def test_passwords_come_from_secret_files(document: dict[str, Any], services: dict[str, Service]) -> None:
    for name, roles in (
        ("processor", ["first"]),
        ("replicator", ["first", "second"]),
        ("registrar", ["first", "second", "handle"]),
    ):
        settings = settings_from(environment(services[name]))
        assert services[name]["secrets"] == [f"{role}_password" for role in roles]
        for role in roles:
            assert getattr(settings, role).password_file == f"/run/secrets/{role}_password"
    gateway = settings_from(environment(services["gateway"])).gateway
    assert services["gateway"]["secrets"] == ["station_key"]
    assert gateway.key_file == "/run/secrets/station_key", "what is not signed is refused"
    assert {tuple(secret) for secret in document["secrets"].values()} == {("file",)}
    ignored = (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".env", "/secrets/"} <= set(ignored)


def test_programs_start_when_the_topics_are_made_and_topics_when_kafka_answers(services: dict[str, Service]) -> None:
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    for name in PROGRAMS:
        assert services[name]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}


def test_every_server_has_a_health_check_and_every_program_that_of_the_image(services: dict[str, Service]) -> None:
    for name in SERVERS:
        check = services[name]["healthcheck"]
        assert check["test"][0] == "CMD"
        assert seconds(check["timeout"]) < seconds(check["interval"])
    for name in PROGRAMS:
        assert "healthcheck" not in services[name]
    assert services["topics"]["healthcheck"] == {"disable": True}  # it has no pages


def test_a_stop_waits_longer_than_a_commit_takes(services: dict[str, Service]) -> None:
    for name in PROGRAMS:
        settings = settings_from(environment(services[name]))
        grace_s = max(settings.processor.grace_s, settings.replicator.grace_s, settings.registrar.grace_s)
        longest_s = grace_s + max(settings.first.timeout_s, settings.second.timeout_s)
        assert seconds(services[name]["stop_grace_period"]) >= longest_s + 30


def test_no_program_has_more_rights_than_it_needs(services: dict[str, Service]) -> None:
    for name in (*PROGRAMS, "topics"):
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]
        assert "user" not in service  # the image's


def test_images_have_tags_and_ours_is_of_this_version(services: dict[str, Service]) -> None:
    for name, service in services.items():
        tag = service["image"].partition(":")[2]
        assert re.match(r"\d", tag), f"{name}: {service['image']}"
    assert {services[name]["image"] for name in (*PROGRAMS, "topics")} == {f"b2stream:{__version__}"}
    assert services["kafka"]["image"] == "apache/kafka:4.3.0"


def test_published_ports_are_this_machine_s_alone(services: dict[str, Service]) -> None:
    for service in services.values():
        for port in service.get("ports", []):
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_kafka_keeps_what_the_contract_needs(services: dict[str, Service]) -> None:
    given = services["kafka"]["environment"]
    assert int(given["KAFKA_OFFSETS_RETENTION_MINUTES"]) * 60_000 > topics.MEASUREMENTS_RETENTION_MS
    assert int(given["KAFKA_MESSAGE_MAX_BYTES"]) >= max(topic.max_message_bytes for topic in topics.ALL)
    assert given["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert f"kafka:{given['KAFKA_LOG_DIRS']}" in services["kafka"]["volumes"]
    assert given["KAFKA_ADVERTISED_LISTENERS"].endswith("HOST://127.0.0.1:9094")
    assert services["kafka"]["ports"] == ["127.0.0.1:9094:9094"]


def test_every_program_uses_the_registry_and_waits_for_it(services: dict[str, Service]) -> None:
    port = services["registry"]["ports"][0].rpartition(":")[2]
    for name in PROGRAMS:
        url = settings_from(environment(services[name])).kafka.registry_url
        assert url == f"http://registry:{port}/apis/ccompat/v7"
        Registry(url, "icos")  # an address that its client takes
        assert services[name]["depends_on"]["registry"] == {"condition": "service_healthy"}
    assert "profiles" not in services["registry"]


def test_pids_are_registered_where_someone_asks_for_it(services: dict[str, Service]) -> None:
    assert services["registrar"]["profiles"] == ["pids"]
    given = {name for name in services["registrar"]["environment"] if "HANDLE" in name}
    assert given == {"B2STREAM_HANDLE_URL", "B2STREAM_HANDLE_USER", "B2STREAM_HANDLE_PASSWORD_FILE"}


def test_the_registry_s_page_is_asked_by_its_health_check(services: dict[str, Service]) -> None:
    port = services["registry"]["ports"][0].rpartition(":")[2]
    assert any(f":{port}/apis/ccompat/v7/" in word for word in services["registry"]["healthcheck"]["test"])


def test_the_registry_outlives_its_container_and_kafka_s_default_retention(services: dict[str, Service]) -> None:
    """Apicurio 3.0.9 makes its topics without a retention of their own: seen on a broker, they had its default of 7 days."""
    settings = services["registry"]["environment"]
    bootstrap = settings_from(environment(services["processor"])).kafka.bootstrap
    assert settings == kafka_storage(bootstrap), "what an integration test kills and starts again"
    assert services["kafka"]["environment"]["KAFKA_LOG_RETENTION_MS"] == "-1"
    assert services["registry"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert all("retention.ms" in topic.config() for topic in topics.ALL), "else that default would be theirs, too"


def test_what_is_not_signed_is_refused_unless_someone_says_otherwise(services: dict[str, Service]) -> None:
    assert settings_from(environment(services["processor"])).processor.unsigned == "refuse"
