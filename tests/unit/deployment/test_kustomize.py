"""The tests' own kustomize gives what kustomize gives, and refuses what it does not understand."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.deployment import kustomize
from tests.unit.deployment.kustomize import Document
from tests.unit.deployment.manifests import BASE, PRODUCTION


def test_the_renderer_refuses_what_it_does_not_understand(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [], "helmCharts": ["other"]}))
    with pytest.raises(ValueError, match="helmCharts"):
        kustomize.render(tmp_path)


@pytest.mark.parametrize(
    ("kustomization", "patch", "reason"),
    [
        (
            {"path": "patch.yaml"},
            {"kind": "CronJob", "metadata": {"name": "a"}, "spec": {"args": ["x"]}},
            "list 'args'",
        ),
        ({"path": "patch.yaml", "target": {"name": "a"}}, {"kind": "CronJob"}, "target other than a kind"),
        ({"path": "patch.yaml", "target": {"kind": "CronJob"}}, [{"op": "remove", "path": "/spec/args"}], "'remove'"),
    ],
)
def test_the_renderer_refuses_patches_that_it_does_not_understand(
    tmp_path: Path, kustomization: Document, patch: object, reason: str
) -> None:
    job = {"kind": "CronJob", "metadata": {"name": "a"}, "spec": {"args": []}}
    plan = {"resources": ["job.yaml"], "patches": [kustomization]}
    for name, content in (("kustomization", plan), ("job", job), ("patch", patch)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=reason):
        kustomize.render(tmp_path)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on this machine")
@pytest.mark.parametrize("folder", [BASE, PRODUCTION], ids=["base", "production"])
def test_the_renderer_gives_what_kustomize_gives(folder: Path) -> None:
    built = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout
    without_hash = re.sub(r"\b(b2stream-settings)-[0-9a-z]{10}\b", r"\1", built)
    wanted = [document for document in yaml.safe_load_all(without_hash) if document]
    assert _in_order(kustomize.render(folder)) == _in_order(wanted)


def _in_order(value: Any) -> Any:
    """The same whatever the order of lists whose members have names: objects, volumes, variables."""
    if isinstance(value, dict):
        return {key: _in_order(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted((_in_order(each) for each in value), key=_kind_and_name) if _have_names(value) else value
    return value


def _have_names(members: list[Any]) -> bool:
    return all(isinstance(each, dict) and ("name" in each or "metadata" in each) for each in members)


def _kind_and_name(member: Document) -> tuple[str, str]:
    return member.get("kind", ""), member["name"] if "name" in member else member["metadata"]["name"]
