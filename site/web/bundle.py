"""Puts modules of JavaScript together into one classic script: a page that is opened from a folder may load no module.

The forms that are understood are those that our files use: named exports where something is declared, and imports of such
names, each import a statement of its own:

    export const LETTERS = "abc";        export function ask(question) {        export class Store {
    import { ask, make as element } from "./question.js";
"""

import re
from pathlib import Path

IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"(\.[^"]*)";[^\S\n]*$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:const|function\*?|async function\*?|class) +([\w$]+))", re.MULTILINE)
LEFT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


class Unbundled(ValueError):
    """A module cannot be put together with others. The message names the file and the line."""


def script(*paths: Path) -> str:
    """One script that runs these modules in their order, each after those that it imports. None of its names is global.

    Raises:
        Unbundled: a file is not there, has another form of import or export, imports what is not exported, or itself.
    """
    modules: dict[Path, tuple[int, set[str]]] = {}  # its number and what it exports, once it is written
    parts: list[str] = []
    for path in paths:
        _add(Path(path).resolve(), modules, parts, ())
    return "(() => {\n" + "\n".join(parts) + "\n})();\n"


def _add(path: Path, modules: dict, parts: list[str], importers: tuple[Path, ...]) -> None:
    if path in modules:
        return
    if path in importers:
        raise Unbundled(f"{path} imports itself, by way of {importers[-1].name}.")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        by = f", which {importers[-1]} imports" if importers else ""
        raise Unbundled(f"{path}{by}: cannot be read ({error.strerror}).") from None
    imported = []

    def bound(match: re.Match) -> str:
        names, source = _names(match[1]), (path.parent / match[2]).resolve()
        _add(source, modules, parts, (*importers, path))
        number, exported = modules[source]
        for name, _ in names:
            if name not in exported:
                raise Unbundled(f"{path} imports {name!r} from {source.name}, which does not export it.")
        imported.append(source)
        return f"const {{ {', '.join(f'{name}: {own}' if own != name else name for name, own in names)} }} = module{number};"

    text = IMPORT.sub(bound, text)
    exported = [match[1] for match in EXPORT.finditer(text)]
    text = EXPORT.sub("", text)
    if left := LEFT.search(text):
        raise Unbundled(f"{path}: {left[0][:60]!r} is a form of import or export that is not understood here.")
    modules[path] = len(modules), set(exported)
    number = modules[path][0]
    parts.append(f"const module{number} = (() => {{\n{text.strip()}\nreturn {{ {', '.join(exported)} }};\n}})();")


def _names(listed: str) -> list[tuple[str, str]]:
    """“ask, make as element” as pairs: what a name is there, and what it is here."""
    pairs = [one.split(" as ") for one in (part.strip() for part in listed.split(",")) if one]
    return [(pair[0].strip(), pair[-1].strip()) for pair in pairs]
