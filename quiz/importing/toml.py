"""Items as a file of the bank, laid out as the course's own files are."""

import json
import re
from collections.abc import Mapping

HEAD = "# Imported. The fields are explained in quiz/bank/README.md; what begins with TODO is still to be written.\n"


def written(items: Mapping[str, Mapping[str, object]]) -> str:
    """A table an item."""
    return HEAD + "".join(f"\n[{_key(name)}]\n{table(fields)}" for name, fields in items.items())


def table(fields: Mapping[str, object]) -> str:
    """A line a field; of a list of tables or lists, a line an entry."""
    return "".join(f"{_key(name)} = {_block(name, value)}\n" for name, value in fields.items())


def _block(name: str, value: object) -> str:
    if name == "code" and "'''" not in value and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", value):
        return f"'''\n{value}\n'''"
    if isinstance(value, list) and (name == "steps" or name == "rubric" or not isinstance(value[0], str)):
        return "[\n" + "".join(f"  {_value(entry)},\n" for entry in value) + "]"
    return _value(value)


def _value(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # a string of JSON is one of TOML
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_value(part)}" for name, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)
