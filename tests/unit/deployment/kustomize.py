"""As much of kustomize as our files use, so that tests see what a cluster would get.

Resources, components that only add some, configMapGenerator with `envs`, images, replicas, namespace, and patches of one object or of
all of a kind: strategic merge, or steps that add (RFC 6902). An unknown field is refused: what this does not understand must not pass
unseen.
"""

import copy
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]
_KNOWN = {
    "apiVersion", "kind", "namespace", "resources", "components", "configMapGenerator", "images", "replicas", "patches",
}  # fmt: skip
_NO_NAMESPACE = {"Namespace"}


def render(folder: Path) -> list[Document]:
    """What `kustomize build FOLDER` gives, but for the hash in the ConfigMap's name."""
    plan = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    unknown = set(plan) - _KNOWN
    if unknown:
        raise ValueError(f"{folder}: {sorted(unknown)} is not understood here")
    documents = _resources(plan, folder)
    for generator in plan.get("configMapGenerator", []):
        _generate(documents, generator, folder)
    for patch in plan.get("patches", []):
        _patch(documents, folder / patch["path"], patch.get("target"))
    for replicas in plan.get("replicas", []):
        found = [
            each for each in documents if each["metadata"]["name"] == replicas["name"] and "replicas" in each["spec"]
        ]
        assert len(found) == 1, f"replicas of {replicas['name']}"
        found[0]["spec"]["replicas"] = replicas["count"]
    for image in plan.get("images", []):
        for container in containers(documents):
            name, _, tag = container["image"].partition(":")
            if name == image["name"]:
                container["image"] = f"{image.get('newName', name)}:{image.get('newTag', tag)}"
    for document in documents:
        if "namespace" in plan and document["kind"] not in _NO_NAMESPACE:
            document["metadata"]["namespace"] = plan["namespace"]
    return documents


def _resources(plan: Document, folder: Path) -> list[Document]:
    documents: list[Document] = []
    for name in plan.get("resources", []):
        path = folder / name
        documents += render(path) if path.is_dir() else read(path)
    for name in plan.get("components", []):
        component = yaml.safe_load((folder / name / "kustomization.yaml").read_text(encoding="utf-8"))
        if (component["kind"], set(component)) != ("Component", {"apiVersion", "kind", "resources"}):
            raise ValueError(f"{name} is more than a component of resources")
        documents += [each for file in component["resources"] for each in read(folder / name / file)]
    return documents


def read(path: Path) -> list[Document]:
    """Every document of a file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def read_variables(path: Path) -> dict[str, str]:
    """NAME=value, a line each."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    assert len({name for name, _, _ in pairs}) == len(pairs), f"{path}: a variable stands there twice"
    return {name: value for name, _, value in pairs}


def files_named(folder: Path) -> set[Path]:
    """Every file that the kustomization of a folder uses, itself among them."""
    plan = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    names = {"kustomization.yaml", *plan.get("resources", []), *(patch["path"] for patch in plan.get("patches", []))}
    names |= {name for generator in plan.get("configMapGenerator", []) for name in generator["envs"]}
    return {path for path in ((folder / name).resolve() for name in names) if not path.is_dir()}


def containers(documents: list[Document]) -> list[Document]:
    """Every container of every pod."""
    return [container for spec in pods(documents).values() for container in spec["containers"]]


def pods(documents: list[Document]) -> dict[str, Document]:
    """The pod of each Job, CronJob, StatefulSet and Deployment, by kind and name."""
    return {name: template["spec"] for name, template in templates(documents).items()}


def templates(documents: list[Document]) -> dict[str, Document]:
    """The same with their labels and annotations."""
    found = {}
    for document in documents:
        spec = document.get("spec", {})
        spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
        if "template" in spec:
            found[f"{document['kind']} {document['metadata']['name']}"] = spec["template"]
    return found


def _generate(documents: list[Document], generator: Document, folder: Path) -> None:
    values = {key: value for name in generator["envs"] for key, value in read_variables(folder / name).items()}
    if generator.get("behavior") == "merge":
        _find(documents, "ConfigMap", generator["name"])["data"].update(values)
    else:
        metadata = {"name": generator["name"]}
        documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": values})


def _find(documents: list[Document], kind: str, name: str) -> Document:
    found = [each for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{len(found)} times {kind} {name}"
    return found[0]


def _patch(documents: list[Document], file: Path, target: Document | None) -> None:
    """Change the object that a patch names, or each of the kind that is its target."""
    if target is None:
        for change in read(file):
            _merge(_find(documents, change["kind"], change["metadata"]["name"]), change)
        return
    if set(target) != {"kind"}:
        raise ValueError(f"{file}: a target other than a kind is not understood here")
    patch: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    for document in [each for each in documents if each["kind"] == target["kind"]]:
        if isinstance(patch, dict):
            _merge(document, {key: value for key, value in patch.items() if key != "metadata"})
        else:
            for step in patch:
                _add(document, step)


def _add(document: Document, step: Document) -> None:
    if step["op"] != "add":
        raise ValueError(f"the step {step['op']!r} is not understood here")
    *above, last = step["path"].strip("/").split("/")
    place: Any = document
    for name in above:
        place = place[int(name)] if isinstance(place, list) else place[name]
    value = copy.deepcopy(step["value"])
    if last == "-":
        place.append(value)
    else:
        place[last] = value


_MERGED_BY_NAME = {"volumes"}


def _merge(target: Any, change: Any) -> None:
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        elif isinstance(value, list) and key in target:
            if key not in _MERGED_BY_NAME:
                raise ValueError(f"merging the list {key!r} is not understood here")
            there = {each["name"]: each for each in target[key]}
            for each in value:
                if each["name"] in there:
                    _merge(there[each["name"]], each)
                else:
                    target[key].append(copy.deepcopy(each))
        else:
            target[key] = copy.deepcopy(value)
