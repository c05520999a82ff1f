"""Published schemas, as the package check-jsonschema brings them; none of its code runs."""

import json
from datetime import date
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]

COMPOSE = "compose-spec"
CITATION = "citation-file-format"


def against_the_schema(name: str, document: Any) -> list[str]:
    """Where a document is not what its schema asks for: place and reason."""
    file = distribution("check-jsonschema").locate_file(f"check_jsonschema/builtin_schemas/vendor/{name}.json")
    schema = json.loads(Path(str(file)).read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    plain = json.loads(json.dumps(document, default=date.isoformat))  # YAML has dates, JSON has none
    return [f"{error.json_path}: {error.message}" for error in validator(schema).iter_errors(plain)]
