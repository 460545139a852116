"""The web edition: whole, without a network, quick, for keyboard and screen reader, and kept by the browser in one edition."""

import hashlib
import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import nbformat
import nbformat.v4 as v4
import pytest

from grader.problems import PROBLEMS, ROOT
from quiz import register
from tests.browser import chromium, needs_chromium
from tests.site_build import SITE, builder, needs_axe, needs_site, served, violations

pytest_plugins = ["tests.site_build"]
pytestmark = needs_site

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
LOOKED_AT = ["index.html", "notebooks/03_lora.html", "notebooks/06_problem_sft.html", "errata.html", "bibliography.html"]
LOOKED_AT += ["cheatsheets/all.html", "references/lora.html", "numbers.html", "quiz.html", "tour.html", "search.html"]
LIMIT = 300_000


# --- what there is ------------------------------------------------------------------------------


def test_the_questions_of_a_topic_speak_of_the_page_and_not_of_a_terminal(site):
    found = [path.name for path in site.glob("notebooks/*.html") if "course-quiz" in path.read_text(encoding="utf-8")]
    assert len(found) >= 6
    for name in found:
        assert "make quiz ARGS" not in (site / "notebooks" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_a_cell_that_needs_a_stub_shows_what_the_reference_gives(problem, site):
    """If this fails, the notebook was changed since its solved cells were recorded: python site/solved.py"""
    import solved

    cells = nbformat.read(problem.notebook_path(".ipynb"), as_version=4).cells
    waiting = {solved.key(cell) for cell in cells if solved.waits(cell)}
    recorded = solved.outputs(problem.notebook)
    assert waiting and waiting == recorded.keys()
    text = (site / f"notebooks/{problem.notebook}.html").read_text(encoding="utf-8")
    assert text.count("With the reference solution, this cell gives:") == len(waiting) and "which is still a stub" not in text


def test_everything_has_its_address(pages):
    expected = ["index.html", "quiz.html", "errata.html", "bibliography.html", "beliefs.html", "numbers.html", "tour.html"]
    expected += ["contributing.html", "guide/classroom.html", "guide/installation.html", "search.html"]
    expected += [f"notebooks/{name}.html" for name in NOTEBOOKS]
    expected += [f"{folder}/{problem}.html" for problem in PROBLEMS for folder in ("references", "practice")]
    assert len(NOTEBOOKS) == 12 and set(expected) <= set(pages)
    for claim, (notebook, _) in register.claims().items():
        assert register.anchor(claim) in pages[f"notebooks/{notebook}.html"].ids
    assert set(register.errata()) <= set(pages["errata.html"].ids)
    assert set(register.sources()) <= set(pages["bibliography.html"].ids)


def test_an_erratum_links_to_its_cell_and_its_sources(pages):
    text = pages["errata.html"].text
    for name, erratum in register.errata().items():
        entry = text.split(f'id="{name}"', 1)[1].split("</section>", 1)[0]
        if erratum.cell:
            notebook = register.claims()[erratum.cell][0]
            assert f'href="notebooks/{notebook}.html#{register.anchor(erratum.cell)}"' in entry
        assert all(f'href="bibliography.html#{key}"' in entry for key in erratum.sources)


def test_no_link_is_dead(pages, site):
    dead = []
    for name, page in pages.items():
        here = (site / name).parent
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = unquote(link).partition("#")
            target = (here / file.partition("?")[0]).resolve() if file.partition("?")[0] else site / name
            known = target.relative_to(site.resolve()).as_posix() if target.is_relative_to(site.resolve()) else None
            there = pages[known].ids if known in pages else ()
            if not target.is_file() or (anchor and target.suffix == ".html" and anchor not in there):
                dead.append(f"{name}: {link}")
    assert not dead


def test_no_page_has_an_anchor_twice(pages):
    assert not [
        (name, one)
        for name, page in pages.items()
        for one in set(page.ids)
        if page.ids.count(one) > 1 and not one.startswith("svg-")
    ]


def test_pictures_have_words_and_a_size(pages):
    figures = [image for name, page in pages.items() for image in page.images]
    assert len(figures) >= 15
    for image in figures:
        assert image.get("alt") and int(image["width"]) > 0 and int(image["height"]) > 0, image


def test_no_formula_is_left_as_tex(pages):
    assert sum(page.text.count("<math") for page in pages.values()) > 300
    for name, page in pages.items():
        prose = re.sub(r"<(pre|script|code|style)\b.*?</\1>", "", page.text, flags=re.DOTALL)
        assert not re.search(r"\\(frac|alpha|sum|log|mathrm|text|left)\b", prose), name
        assert 'class="math ' not in prose, name


# --- nothing from elsewhere, and little of it ----------------------------------------------------


def test_nothing_is_fetched_from_another_host(pages, site):
    for name, page in pages.items():
        for loaded in page.loads:
            assert loaded.startswith("data:") or not re.match(r"([a-z]+:)?//", loaded), (name, loaded)
            file = loaded.partition("?")[0]
            assert loaded.startswith("data:") or ((site / name).parent / file).is_file(), (name, loaded)
    for path in site.rglob("*.css"):
        for named in re.findall(r"(?:url\(|@import )[\"']?([^\"')]+)", path.read_text(encoding="utf-8")):
            assert named.startswith("data:") or (path.parent / named).is_file(), (path.name, named)
    for path in site.rglob("*.js"):
        asked = re.findall(r"(?:fetch|import|importScripts)\(\s*[\"'`](?:https?:)?//", path.read_text(encoding="utf-8"))
        assert not asked, path.name


def test_pages_are_light(pages, site):
    for name, page in pages.items():
        scripts = {((site / name).parent / script.partition("?")[0]).resolve() for script in page.scripts}
        scripts |= {
            site / f"_static/course/bank-{topic}.js"
            for topic in re.findall(r'class="course-quiz" data-topic="(\w+)"', page.text)
        }
        total = len(page.text.encode()) + sum(script.stat().st_size for script in scripts)
        assert total < LIMIT, (name, total)
    assert (site / "searchindex.js").stat().st_size < LIMIT


def test_the_same_course_gives_the_same_files(site, tmp_path):
    done = subprocess.run([sys.executable, SITE / "build.py", "--out", tmp_path / "again"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (site, tmp_path / "again")
    )
    assert first.keys() == second.keys()
    assert not [name for name in first if first[name] != second[name]]


# --- in a browser -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_open_from_a_folder_without_a_complaint_and_fit_the_screen(page, site, width):
    page.look(width)
    for name in LOOKED_AT:
        page.errors.clear(), page.asked.clear()
        page.open(site / name)
        assert not page.errors, (name, page.errors)
        assert all(asked.startswith(("file:", "data:", "blob:")) for asked in page.asked), (name, page.asked)
        assert page.run("document.documentElement.scrollWidth") <= width, name


@needs_chromium
def test_search_finds_from_a_folder(page, site):
    page.look(1280)
    page.errors.clear()
    page.open(f"{(site / 'search.html').as_uri()}?q=rslora")
    page.wait("[...document.querySelectorAll('#search-results li a')].some(one => one.href.includes('notebooks/03_lora.html'))")
    assert not page.errors


@needs_chromium
def test_pages_and_search_work_where_storage_is_refused(page, site):
    refused = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('denied', 'SecurityError'); }})"
    number = page.send("Page.addScriptToEvaluateOnNewDocument", source=refused)["identifier"]
    page.errors.clear()
    page.open(site / "notebooks/03_lora.html")
    page.run("document.querySelector('.theme-toggle').click()")
    page.open(f"{(site / 'search.html').as_uri()}?q=rslora")
    page.wait("document.querySelector('#search-results li a')")
    page.send("Page.removeScriptToEvaluateOnNewDocument", identifier=number)
    assert not page.errors


@needs_chromium
@needs_axe
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desk", "phone-dark"])
def test_axe_finds_nothing_serious(page, site, width, dark):
    page.look(width, dark=dark)
    found = {}
    for name in LOOKED_AT:
        page.open(site / name)
        if told := violations(page):
            found[name] = told
    assert not found


@needs_chromium
def test_nothing_moves_while_a_page_is_drawn(page, site):
    shift = "new Promise(done => { let sum = 0; new PerformanceObserver(list => { for (const one of list.getEntries()) sum += one.value; })"
    shift += ".observe({type: 'layout-shift', buffered: true}); setTimeout(() => done(sum), 400); })"
    for width in (390, 1280):
        page.look(width)
        page.open(site / "notebooks/03_lora.html")
        assert page.run(shift) < 0.02


@needs_chromium
def test_the_keyboard_reaches_the_text_and_what_scrolls(page, site):
    page.look(390)
    page.open(site / "notebooks/03_lora.html")
    page.press("Tab")
    assert page.run("document.activeElement.textContent.trim()") == "Skip to content"
    clipped = (
        "[...document.querySelectorAll('article pre')].filter(one => one.scrollWidth > one.clientWidth && one.clientWidth)"
    )
    assert page.run(f"{clipped}.length") > 3 and page.run(f"{clipped}.every(one => one.tabIndex === 0)")


@needs_chromium
def test_printed_code_is_not_cut_off(page, site):
    page.look(800)
    page.open(site / "notebooks/03_lora.html")
    page.send("Emulation.setEmulatedMedia", media="print")
    cut = page.run("[...document.querySelectorAll('article pre')].filter(one => one.scrollWidth > one.clientWidth + 1).length")
    page.send("Emulation.setEmulatedMedia", media="")
    assert cut == 0


# --- kept by the browser ------------------------------------------------------------------------


@needs_chromium
def test_the_site_is_kept_and_a_new_edition_replaces_it_whole(site, tmp_path):
    from web import offline

    folder = tmp_path / "host"
    shutil.copytree(site, folder)
    ready = "navigator.serviceWorker.ready.then(() => true)"
    with chromium(tmp_path / "profile") as page:
        with served(folder) as address:
            page.open(f"{address}/index.html")
            assert page.run(ready)
            page.wait("Boolean(navigator.serviceWorker.controller)", 60)
            page.open(f"{address}/notebooks/03_lora.html")
            assert page.run("document.querySelector('link[rel=manifest]').href").endswith("/manifest.webmanifest")
            assert not page.run("document.querySelector('.course-remark')")

            # A new edition: two files change. Until the reader wants it, the old one stays, whole.
            for name in ("errata.html", "notebooks/03_lora.html"):
                path = folder / name
                path.write_text(path.read_text(encoding="utf-8").replace("<h1>", "<h1>New: "), encoding="utf-8")
            offline.write(folder, SITE / "scripts" / "site" / "sw.js")
            page.open(f"{address}/errata.html")
            page.wait("document.querySelector('.course-remark[role=status]')", 60)
            assert "new edition" in page.run("document.querySelector('.course-remark').textContent")
            assert page.run("document.querySelector('h1').textContent").startswith("What the article says")
            page.run("document.querySelector('.course-remark button').click()")
            page.wait(
                "document.querySelector('h1')?.textContent.startsWith('New: ') && !document.querySelector('.course-remark')", 30
            )

            # A host that gives files of two editions: none of them is taken.
            path = folder / "beliefs.html"
            path.write_text(path.read_text(encoding="utf-8").replace("<h1>", "<h1>New: "), encoding="utf-8")
            offline.write(folder, SITE / "scripts" / "site" / "sw.js")
            path.write_text("of another edition", encoding="utf-8")
            outcome = "new Promise(done => { const one = told.installing; one.onstatechange = () => done(one.state); })"
            assert (
                page.run(f"navigator.serviceWorker.getRegistration().then(one => one.update()).then(told => {outcome})")
                == "redundant"
            )
            page.open(f"{address}/beliefs.html")
            assert page.run("document.querySelector('h1').textContent").startswith("What many believe")
            assert not page.run("document.querySelector('.course-remark')")
        # The server is gone: the new edition is there, and nothing of the old one.
        page.open(f"{address}/notebooks/03_lora.html")
        assert page.run("document.querySelector('h1').textContent").startswith("New: ")
        page.open(f"{address}/bibliography.html?from=a-link#lora")
        assert page.run("document.querySelector('h1').textContent").startswith("Bibliography")


def test_the_worker_names_every_file_by_its_content(site):
    files = json.loads(re.search(r"const FILES = (\{.*?\});", (site / "sw.js").read_text(encoding="utf-8"), re.DOTALL)[1])
    there = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert set(files) == {name for name in there if name not in ("sw.js", ".nojekyll") and not name.endswith(".ipynb")}
    assert all(hashlib.sha256((site / name).read_bytes()).hexdigest() == told for name, told in files.items())
    assert all((site / icon["src"]).is_file() for icon in json.loads((site / "manifest.webmanifest").read_text())["icons"])


# --- what pages are made of ---------------------------------------------------------------------


def test_links_of_the_course_lead_to_pages():
    from web import links

    text = (
        "[a](02_peft.ipynb#claim-peft-x) [b](../README.md#the-article) [c](../tests/own/softmax) [d](https://x.org) `[e](f.md)`"
    )
    assert links.markdown(text, "notebooks/03_lora.ipynb", "notebooks/03_lora") == (
        '<a href="02_peft.html#claim-peft-x">a</a> [b](../tour.md#the-article) c (`tests/own/softmax`) [d](https://x.org) `[e](f.md)`'
    )
    fenced = "```\n[a](02_peft.ipynb)\n```"
    assert links.markdown(fenced, "notebooks/03_lora.ipynb", "notebooks/03_lora") == fenced
    badge = "[![Open in Colab](https://colab.example/badge.svg)](https://colab.example/x)"
    assert links.markdown(badge, "notebooks/a.ipynb", "notebooks/a") == "[Open in Colab](https://colab.example/x)"


def test_a_picture_becomes_a_file_with_a_size_and_colours_follow_the_theme(tmp_path):
    from lab import plots
    from web import outputs

    html = plots.Picture(struct.pack(">8x4x4xII", 640, 480), "a < b")._repr_html_()
    drawn = outputs.drawn(html + '<p style="color: #555555; font-weight: bold">to do</p>', tmp_path, "01")
    (file,) = (tmp_path / "figures").iterdir()
    assert (
        f'src="../_static/figures/{file.name}" width="640" height="480"' in drawn
        and 'alt="a &lt; b"' in drawn
        and "base64" not in drawn
    )
    assert 'class="state"' in drawn and "#555555" not in drawn


def test_the_quiz_stands_where_the_notebook_asks(pages):
    from web import notebooks

    block = notebooks.quiz_block('quiz.show(topic="lora", count=5, seed=3)')
    assert '<div class="course-quiz" data-topic="lora" data-count="5"></div>' in block and "<noscript>" in block
    page = pages["notebooks/03_lora.html"]
    assert 'data-topic="lora"' in page.text and "../_static/course/quiz.js" in [one.partition("?")[0] for one in page.scripts]
    assert not any("quiz.js" in script for script in pages["errata.html"].scripts)


def test_what_installs_the_course_elsewhere_is_not_shown(tmp_path):
    from web import notebooks

    cells = [v4.new_markdown_cell("# Title"), v4.new_markdown_cell("Open in [Colab](https://c.org). The next cell installs.")]
    cells += [v4.new_code_cell("%pip install course"), v4.new_code_cell("1 + 1")]
    cells[1].metadata["tags"], cells[2].metadata["tags"] = ["elsewhere:links"], ["elsewhere:install"]
    path = tmp_path / "01_x.ipynb"
    path.write_text(json.dumps(v4.new_notebook(cells=cells)))
    shown = [cell.source for cell in notebooks.page(path, tmp_path).cells]
    assert shown[1:] == ['Open in [Colab](https://c.org), or <a href="01_x.ipynb" download>download it</a>.', "1 + 1"]


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"\beta \log \pi", '<mspace width="0.1667em"></mspace><mi>log</mi><mspace width="0.1667em"></mspace>'),
        (r"\sigma(-d)", '<mo form="prefix">−</mo>'),
        (r"|w|/k", '<mo stretchy="false" lspace="0" rspace="0">|</mo>'),
        (r"614{,}400", '<mo lspace="0" rspace="0">,</mo>'),
    ],
)
def test_formulas_are_spaced_as_tex_does(tex, expected):
    from web.formulas import mathml

    assert expected in mathml(tex)


def test_a_maximum_has_its_variable_below():
    from web.formulas import mathml

    assert "<munder><mi>max</mi>" in mathml(r"\max_\pi x", block=True) and "<msub>" in mathml(r"\max_\pi x")


def test_a_formula_that_cannot_be_drawn_is_named():
    from web.formulas import BadFormula, mathml

    with pytest.raises(BadFormula, match=r"has the command \\foo"):
        mathml(r"\foo x")


# --- for people ---------------------------------------------------------------------------------


def test_without_sphinx_a_sentence_says_what_to_install(tmp_path):
    hide = "import importlib.util as u, runpy, sys; find = u.find_spec; u.find_spec = lambda n, *a: None if n == 'sphinx' else find(n, *a)"
    code = f"{hide}; sys.argv = ['build.py', '--out', {str(tmp_path / 'site')!r}]; runpy.run_path({str(SITE / 'build.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "pip install -r requirements-site.txt" in done.stderr and "Traceback" not in done.stderr


def test_a_folder_with_other_things_is_not_overwritten(tmp_path):
    build = builder()
    Path(tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(build.NotBuilt, match="holds files that are not of a site"):
        build.build(tmp_path)
    with pytest.raises(build.NotBuilt, match="is a file"):
        build.build(tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "mine"
