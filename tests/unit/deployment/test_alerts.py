"""I13: the alert rules name metrics that exist, and every invariant has one."""

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import b2stream.programs
from tests.unit.deployment import kustomize
from tests.unit.deployment.program import REPOSITORY

COMPONENT = REPOSITORY / "k8s" / "components" / "alerts"
RULES: list[dict[str, Any]] = [
    rule
    for document in kustomize.read(COMPONENT / "alerts.yaml")
    for group in document["spec"]["groups"]
    for rule in group["rules"]
]
NAMES = [rule["alert"] for rule in RULES]
LABELLED = re.compile(r"increase\((b2stream_\w+)(\{[^}]*\})?\[(\w+)\]\)")
OTHERS = {"process_start_time_seconds", "kube_job_failed"}  # prometheus_client's own, and kube-state-metrics'


@pytest.fixture(scope="module")
def metrics() -> dict[str, str]:
    """Every metric of the programs by name as Prometheus sees it, with its kind."""
    for module in pkgutil.walk_packages(b2stream.programs.__path__, "b2stream.programs."):
        if module.name.endswith((".metrics", ".scrub.cli")):
            importlib.import_module(module.name)
    found = {}
    for metric in REGISTRY.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        found[name] = metric.type
    return found


def test_the_form_is_that_of_a_prometheus_rule() -> None:
    (document,) = kustomize.read(COMPONENT / "alerts.yaml")
    assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert set(document["spec"]) == {"groups"}
    assert len({group["name"] for group in document["spec"]["groups"]}) == len(document["spec"]["groups"])
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_says_what_is_wrong_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert set(rule["labels"]) == {"severity", "invariant"}
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description"}
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_asks_for_metrics_that_exist(rule: dict[str, Any], metrics: dict[str, str]) -> None:
    expression = rule["expr"]
    named = set(re.findall(r"\b(?:b2stream|process|kube)_\w+", re.sub(r'"[^"]*"', "", expression)))
    assert named
    assert named - OTHERS <= set(metrics)
    for name in re.findall(r"increase\((\w+)", expression):
        assert metrics[name] == "counter"
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
@pytest.mark.usefixtures("metrics")
def test_a_rule_sees_the_first_event_of_a_counter_that_appears_with_it(rule: dict[str, Any]) -> None:
    for metric, labels, window in LABELLED.findall(rule["expr"]):
        is_there_from_the_start = "_paused_seconds" in metric or REGISTRY.get_sample_value(metric) is not None
        if not is_there_from_the_start:
            assert "> 0 unless sum by" in rule["expr"]
            assert f"({metric}{labels} offset {window})" in rule["expr"]


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_reasons_and_outcomes_that_a_rule_names_are_those_of_the_code(rule: dict[str, Any]) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path(b2stream.__file__).parent.rglob("*.py"))
    for values in re.findall(r'(?:reason|outcome)=~?"([^"]+)"', rule["expr"]):
        for value in values.split("|"):
            assert f'"{value}"' in code, value


def test_I13_every_invariant_has_an_alert() -> None:
    covered = {rule["labels"]["invariant"] for rule in RULES}
    table = re.findall(r"^\| (I\d+) \| ", (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(table) == 13
    assert covered == set(table)


def test_the_base_does_not_apply_them_and_an_overlay_may(tmp_path: Path) -> None:
    base = REPOSITORY / "k8s" / "base"
    for folder in (base, REPOSITORY / "k8s" / "overlays" / "production"):
        assert "PrometheusRule" not in {document["kind"] for document in kustomize.render(folder)}
    plan = {"resources": [str(base)], "components": [str(COMPONENT)], "namespace": "here"}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(plan))
    (rules,) = [document for document in kustomize.render(tmp_path) if document["kind"] == "PrometheusRule"]
    assert rules["metadata"]["namespace"] == "here"
