"""The Kubernetes manifests: what a cluster would get is valid, and names only what the code has.

`kubernetes-validate` brings the schemas that Kubernetes publishes. Its command exits 0 when it knows no schema, so its API is used.
"""

import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest

from b2stream import __version__
from b2stream.contracts import topics
from b2stream.settings import Settings
from b2stream.settings.passwords import password_variables, without_password
from tests.unit.deployment import kustomize
from tests.unit.deployment.kustomize import Document
from tests.unit.deployment.manifests import ALERTS, BASE, BY_THE_CLOCK, K8S, PRODUCTION, REGISTRAR
from tests.unit.deployment.program import REPOSITORY, check_command, known_variables, serves, settings_from

VERSIONS = ("1.31", "1.37")  # of Kubernetes: what is valid for an older and a recent one is for those between
PROGRAMS = {"StatefulSet b2stream-processor": "processor", "Deployment b2stream-replicator": "replicator"}
WITH_PIDS = {**PROGRAMS, "Deployment b2stream-registrar": "registrar"}
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def settings_of(documents: list[Document]) -> dict[str, str]:
    found = [each["data"] for each in documents if each["kind"] == "ConfigMap"]
    assert len(found) == 1
    return dict(found[0])


def loaded(documents: list[Document]) -> Settings:
    return settings_from(settings_of(documents))


def size_bytes(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w\w)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * _UNITS[unit]


def programs(documents: list[Document]) -> dict[str, str]:
    """Each program's kind and name, with its command: the base's, and the registrar where PIDs are registered."""
    return WITH_PIDS if loaded(documents).handle.url else PROGRAMS


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(documents: list[Document], version: str) -> None:
    assert len(documents) >= 7
    for document in documents:
        assert kubernetes_validate.validate(document, version, strict=True) == version


def test_a_kind_or_a_field_that_kubernetes_does_not_know_is_no_success(documents: list[Document]) -> None:
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        kubernetes_validate.validate({**documents[0], "kind": "StatefullSet"}, VERSIONS[0], strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**documents[0], "sepc": {}}, VERSIONS[0], strict=True)


def test_every_file_is_listed_and_every_listed_file_exists() -> None:
    for folder in (BASE, PRODUCTION, ALERTS, REGISTRAR):
        assert kustomize.files_named(folder) == set(folder.iterdir())
    assert {path.parent for path in K8S.rglob("*") if path.is_file()} == {BASE, PRODUCTION, ALERTS, REGISTRAR}


def test_the_parts_are_there(documents: list[Document]) -> None:
    kinds = {f"{document['kind']} {document['metadata']['name']}" for document in documents}
    assert {kind for kind in kinds if kind.startswith(("StatefulSet", "Deployment"))} == set(programs(documents))
    assert kinds >= {"Job b2stream-topics", "Service b2stream-processor", "NetworkPolicy b2stream"}
    assert kinds >= {"PodDisruptionBudget b2stream-processor", "PodDisruptionBudget b2stream-replicator"}


def test_every_command_exists(documents: list[Document]) -> None:
    pods = kustomize.pods(documents)
    for name, program in programs(documents).items():
        assert pods[name]["containers"][0]["args"] == [program]
    assert pods["Job b2stream-topics"]["containers"][0]["args"] == ["topics", "create"]
    for name, command in BY_THE_CLOCK.items():
        assert pods[name]["containers"][0]["args"][:1] == command
    for container in kustomize.containers(documents):
        assert "command" not in container  # the image's entry point is `b2stream`
        check_command(container["args"])


def test_every_variable_is_a_setting_and_every_value_is_accepted(documents: list[Document]) -> None:
    given = settings_of(documents)
    assert set(given) <= known_variables()
    settings_from(given)
    for container in kustomize.containers(documents):
        assert {entry["name"] for entry in container.get("env", [])} <= known_variables()
        assert container["envFrom"] == [{"configMapRef": {"name": "b2stream-settings"}}]


def test_passwords_come_by_reference_only(documents: list[Document]) -> None:
    kafka = {"B2STREAM_KAFKA_PASSWORD": ("b2stream-kafka", True)}
    registry = {"B2STREAM_KAFKA_REGISTRY_PASSWORD": ("b2stream-registry", True)}
    redis = {"B2STREAM_REDIS_PASSWORD": ("b2stream-redis", True)}
    first, second, handle = (
        {f"B2STREAM_{role.upper()}_PASSWORD": (f"b2stream-{role}", False)} for role in ("first", "second", "handle")
    )
    wanted = {
        "processor": first | kafka | registry | redis,
        "replicator": first | second | kafka | registry,
        "registrar": first | second | handle | kafka | registry,
        "topics": kafka,
        "audit": {"B2STREAM_HANDLE_PASSWORD": ("b2stream-handle", True)} | kafka | registry,
        "scrub": kafka | registry,
        "archive-provenance": kafka | registry,
    }
    for container in kustomize.containers(documents):
        given = [entry for entry in container.get("env", []) if not entry["name"].endswith("_PASSWORD_FILE")]
        references = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in given}
        found = {name: (entry["name"], entry.get("optional", False)) for name, entry in references.items()}
        assert found == wanted[container["name"]]
        assert {entry["key"] for entry in references.values()} == {"password"}
        assert set(found) <= set(password_variables())
    assert not [document for document in documents if document["kind"] == "Secret"]
    assert not [name for name in settings_of(documents) if "PASSWORD" in name]
    for path in (path for path in K8S.rglob("*") if path.is_file()):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert without_password(line) == line, f"{path}: a password"


def test_kafka_s_certificates_lie_where_the_settings_look_for_them(documents: list[Document]) -> None:
    settings = loaded(documents).kafka
    for pod in kustomize.pods(documents).values():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["kafka-tls"]["secret"] == {"secretName": "b2stream-kafka-tls", "optional": True}
        mounts = {mount["name"]: mount for mount in pod["containers"][0]["volumeMounts"]}
        assert mounts["kafka-tls"]["readOnly"] is True
        for path in (settings.ca_file, settings.certificate_file, settings.key_file):
            assert not path or path.startswith(mounts["kafka-tls"]["mountPath"] + "/")


def test_the_overlay_speaks_to_kafka_with_tls_and_a_password() -> None:
    kafka = loaded(kustomize.render(PRODUCTION)).kafka
    assert (kafka.security_protocol, kafka.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
    assert kafka.user
    assert kafka.ca_file.endswith("/ca.crt")


def test_the_overlay_gives_all_that_the_programs_refuse_to_start_without() -> None:
    settings = loaded(kustomize.render(PRODUCTION))
    for centre in (settings.first, settings.second):
        assert centre.name
        assert centre.url.startswith("irods://")
    assert settings.first.name != settings.second.name
    assert settings.kafka.replication == 3
    assert settings.handle.url.startswith("https://")
    assert settings.handle.user
    assert settings.first.prefix


def test_probes_ask_pages_that_exist_at_the_port_that_is_set(documents: list[Document]) -> None:
    settings = loaded(documents)
    assert settings.monitoring.host == "0.0.0.0"
    for name in programs(documents):
        container = kustomize.pods(documents)[name]["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"monitoring": settings.monitoring.port}
        probes = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")}
        assert {probe: page["path"] for probe, page in probes.items()} == {
            "startup": "/healthz",
            "liveness": "/healthz",
            "readiness": "/readyz",
        }
        for page in probes.values():
            assert page["port"] in ports
            assert serves(page["path"])
    assert not serves("/health"), "any page would do"


def test_prometheus_is_told_where_the_metrics_are(documents: list[Document]) -> None:
    for document in documents:
        if f"{document['kind']} {document['metadata']['name']}" in programs(documents):
            told = document["spec"]["template"]["metadata"]["annotations"]
            assert told["prometheus.io/scrape"] == "true"
            assert told["prometheus.io/port"] == str(loaded(documents).monitoring.port)
            assert serves(told["prometheus.io/path"])


def test_a_stop_waits_longer_than_a_commit_takes(documents: list[Document]) -> None:
    settings = loaded(documents)
    longest_s = {
        "StatefulSet b2stream-processor": settings.processor.grace_s + settings.first.timeout_s,
        "Deployment b2stream-replicator": settings.replicator.grace_s
        + max(settings.first.timeout_s, settings.second.timeout_s),
        "Deployment b2stream-registrar": settings.registrar.grace_s
        + max(settings.first.timeout_s, settings.second.timeout_s, settings.handle.timeout_s),
    }
    for name, pod in kustomize.pods(documents).items():
        if name in programs(documents):
            assert pod["terminationGracePeriodSeconds"] >= longest_s[name] + 30


def test_no_pod_has_more_rights_than_it_needs(documents: list[Document]) -> None:
    user = re.search(r"^USER (\d+):\d+$", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert user is not None
    for pod in kustomize.pods(documents).values():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == int(user[1])
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]


def test_what_a_program_writes_lies_on_a_volume(documents: list[Document]) -> None:
    settings = loaded(documents)
    stateful = next(document for document in documents if document["kind"] == "StatefulSet")
    container = stateful["spec"]["template"]["spec"]["containers"][0]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert "/tmp" in mounts  # Faust's folder
    claim = next(claim for claim in stateful["spec"]["volumeClaimTemplates"])
    assert mounts[settings.processor.spool_directory] == claim["metadata"]["name"]
    assert size_bytes(claim["spec"]["resources"]["requests"]["storage"]) > settings.processor.spool_bytes * 1.1


def test_there_are_not_more_processors_than_partitions(documents: list[Document]) -> None:
    partitions = loaded(documents).kafka.partitions
    for document in documents:
        if "replicas" in document.get("spec", {}):
            assert 1 <= document["spec"]["replicas"] <= partitions


def test_selectors_find_the_pods_they_mean(documents: list[Document]) -> None:
    labels = {name: template["metadata"]["labels"] for name, template in kustomize.templates(documents).items()}
    for kind, selector in _selectors(documents):
        found = [name for name, carried in labels.items() if selector.items() <= carried.items()]
        assert len(found) == (len(labels) if kind == "NetworkPolicy" else 1), (kind, selector)


def _selectors(documents: list[Document]) -> Iterator[tuple[str, dict[str, Any]]]:
    for document in documents:
        spec = document.get("spec", {})
        for selector in (spec.get("selector"), spec.get("podSelector")):
            if selector is not None:
                yield document["kind"], selector.get("matchLabels", selector)
    for pod in kustomize.pods(documents).values():
        for spread in pod.get("topologySpreadConstraints", []):
            yield "spread", spread["labelSelector"]["matchLabels"]


def test_the_image_is_of_this_version(documents: list[Document]) -> None:
    assert {container["image"].rpartition(":")[2] for container in kustomize.containers(documents)} == {__version__}


def test_topics_that_files_name_exist() -> None:
    exist = {topic.full_name("icos") for topic in topics.ALL}
    for path in (*(path for path in K8S.rglob("*") if path.is_file()), REPOSITORY / "docker-compose.yml"):
        named = set(re.findall(r"\bicos\.[a-z-]+", path.read_text(encoding="utf-8")))
        assert named <= exist, path
