"""What a change of a schema may be: old readers read new data, new readers read old data, and a reader need not know when it was written.

Stricter than Avro's own resolution (Avro 1.12 specification, "Schema Resolution"): no promotion of numbers, no new symbol or
branch, no new name, because each of them is fine for one side only.
"""

import json
from collections.abc import Iterator
from typing import Any

Declared = Any


def differences(old_text: str, new_text: str) -> list[str]:
    """What old or new readers could not survive, a sentence each; none where the change is fine."""
    return list(_compare(json.loads(old_text), json.loads(new_text), ""))


def undocumented(text: str) -> list[str]:
    """Records and fields without a doc string."""
    return list(_undocumented(json.loads(text), ""))


def _compare(old: Declared, new: Declared, at: str) -> Iterator[str]:
    old, new = _plain(old), _plain(new)
    if _kind(old) != _kind(new):
        yield f"{at}: {_kind(old)} became {_kind(new)}"
    elif _kind(old) == "union":
        yield from _compare_unions(old, new, at)
    elif _kind(old) == "record":
        if _full_name(old) != _full_name(new):
            yield f"{at}: record {_full_name(old)} became {_full_name(new)}"
        yield from _compare_records(old, new, f"{at}{old['name']}")
    elif _kind(old) == "enum":
        if (old["name"], old["symbols"]) != (new["name"], new["symbols"]):
            yield f"{at}: symbols {old['symbols']} became {new['symbols']}"
    elif _kind(old) in ("array", "map"):
        inside = "items" if _kind(old) == "array" else "values"
        yield from _compare(old[inside], new[inside], f"{at}[]")
    elif _logical(old) != _logical(new):
        yield f"{at}: {_logical(old)} became {_logical(new)}"


def _compare_unions(old: Declared, new: Declared, at: str) -> Iterator[str]:
    if len(old) != len(new):
        yield f"{at}: {len(old)} branches became {len(new)}"
    for one, other in zip(old, new, strict=False):
        yield from _compare(one, other, at)


def _compare_records(old: Declared, new: Declared, at: str) -> Iterator[str]:
    before, after = ({field["name"]: field for field in record["fields"]} for record in (old, new))
    for name, field in before.items():
        if name not in after:
            if "default" not in field:
                yield f"{at}.{name}: was removed, and old readers have no default for it"
            continue
        yield from _compare(field["type"], after[name]["type"], f"{at}.{name}")
        if ("default" in field) != ("default" in after[name]) or field.get("default") != after[name].get("default"):
            yield f"{at}.{name}: its default changed"
    for name in after.keys() - before.keys():
        if "default" not in after[name]:
            yield f"{at}.{name}: was added without a default, and old data does not have it"


def _undocumented(declared: Declared, at: str) -> Iterator[str]:
    if isinstance(declared, list):
        for branch in declared:
            yield from _undocumented(branch, at)
    elif isinstance(declared, dict):
        if declared["type"] == "record":
            for field in declared["fields"]:
                here = f"{at}{declared['name']}.{field['name']}"
                if not field.get("doc", "").strip().endswith("."):
                    yield here
                yield from _undocumented(field["type"], here)
        else:
            for inside in ("items", "values"):
                yield from _undocumented(declared.get(inside, "null"), at)


def _plain(declared: Declared) -> Declared:
    """`{"type": "long"}` is `"long"`, unless a logical type says more."""
    if isinstance(declared, dict) and isinstance(declared["type"], str) and set(declared) <= {"type", "doc"}:
        return declared["type"]
    return declared


def _kind(declared: Declared) -> str:
    if isinstance(declared, list):
        return "union"
    return str(declared["type"] if isinstance(declared, dict) else declared)


def _logical(declared: Declared) -> str:
    return str(declared.get("logicalType", "no logical type")) if isinstance(declared, dict) else "no logical type"


def _full_name(record: Declared) -> str:
    return f"{record.get('namespace', '')}.{record['name']}"
