"""Modules put together: each runs once, after those that it imports, and what cannot be put together is named."""

import pytest

from tests.browser import chromium, needs_chromium
from tests.quiz_site import bundle

WORKING = {
    "main.js": 'import { one } from "./one.js";\nimport {\n  two as second,\n  Three,\n} from "./deep/two.js";\n'
    "window.found = [one, second(), new Three().one, typeof two];\n",
    "one.js": "window.runs = (window.runs ?? 0) + 1;\nexport const one = 1;\n",
    "deep/two.js": 'import { one } from "../one.js";\nexport function two() {\n  return one + 1;\n}\n'
    "export class Three {\n  one = one;\n}\n",
}
BROKEN = {
    "imports 'two' from one.js, which does not export it": {
        "main.js": 'import { two } from "./one.js";\n',
        "one.js": "const two = 2;\n",
    },
    "main.js imports itself, by way of one.js": {
        "main.js": 'import { a } from "./one.js";\n',
        "one.js": 'import { b } from "./main.js";\n',
    },
    "none.js, which .*main.js imports: cannot be read": {"main.js": 'import { a } from "./none.js";\n'},
    "main.js: 'import all from.*' is a form": {"main.js": 'import all from "./one.js";\n'},
    "main.js: 'export default 1;' is a form": {"main.js": "export default 1;\n"},
}


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "main.js"


@needs_chromium
def test_a_page_from_a_folder_runs_what_was_put_together(tmp_path):
    main = write(tmp_path, WORKING)
    (tmp_path / "all.js").write_text(bundle.script(main, tmp_path / "one.js"), encoding="utf-8")
    (tmp_path / "page.html").write_text("<!doctype html><script src=all.js></script>", encoding="utf-8")
    with chromium(tmp_path / "profile") as page:
        page.open(tmp_path / "page.html")
        assert page.run("[window.found, window.runs, typeof one]") == [[1, 2, 1, "undefined"], 1, "undefined"]
        assert not page.errors


@pytest.mark.parametrize("words, files", BROKEN.items(), ids=range(len(BROKEN)))
def test_what_cannot_be_put_together_is_named(tmp_path, words, files):
    with pytest.raises(bundle.Unbundled, match=words):
        bundle.script(write(tmp_path, files))
