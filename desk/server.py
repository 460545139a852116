"""JupyterLab's way to the files of the course.

Before a notebook is opened, its halves are brought in step. Before one is saved, what saving would overwrite and the
screen does not show goes to the backups. The person is told in a cell on top of the notebook, which is never saved.

`python -m desk.server` makes the JupyterLab of this Python environment work so, from whatever folder it is started.
"""

import json
import sys
from pathlib import Path

import nbformat
from jupytext import AsyncTextFileContentsManager
from tornado.web import HTTPError
from traitlets import default

from desk import backups, pair
from desk.files import write

# What JupyterLab is told: to use the class below, and that “View, Show Hidden Files” leads to the backups.
SETTINGS = {"ServerApp": {"contents_manager_class": "desk.server.CourseContents"}, "ContentsManager": {"allow_hidden": True}}
OPTIONS = [f"--{owner}.{name}={value}" for owner, values in SETTINGS.items() for name, value in values.items()]
NOTICE = "course:notice"  # the tag of the cell that tells


class CourseContents(AsyncTextFileContentsManager):
    """Jupytext's contents manager, for files that other editors and tools change as well."""

    def __init__(self, *arguments, **options):
        self.untold: dict[str, str] = {}  # what a person should know about a notebook when it is opened next
        self.seen: dict[Path, set[str]] = {}  # the content that was shown on a screen or saved from it
        super().__init__(*arguments, **options)

    @default("outdated_text_notebook_margin")
    def _times_do_not_decide(self):
        return float("inf")

    async def get(self, path, content=True, type=None, format=None, **options):
        """A file or folder. A notebook comes with its halves in step."""
        said = self._bring_in_step(path) if content and type in (None, "notebook") else ""
        model = await super().get(path, content=content, type=type, format=format, **options)
        if content and model["type"] == "notebook":
            self.seen.setdefault(self._file(path).with_suffix(""), set()).add(pair.content(model["content"]))
        said = " ".join(filter(None, [self.untold.pop(path.strip("/"), ""), said])) if content else ""
        if said and model["type"] == "notebook":
            self.log.warning(said)
            model["content"]["cells"].insert(0, _notice(said))
        return model

    async def save(self, model, path=""):
        """Write a file. What others have written into a notebook meanwhile is kept."""
        if model.get("type") == "notebook" and model.get("content"):
            cells = model["content"]["cells"]
            cells[:] = [cell for cell in cells if NOTICE not in cell["metadata"].get("tags", [])]
            notebook, shown = self._file(path), nbformat.from_dict(model["content"])
            self._keep_unseen(notebook, shown, path)
            saved = await super().save(model, path)
            self.seen[notebook.with_suffix("")] = {pair.content(shown)}
            pair.remember(notebook)
            return saved
        return await super().save(model, path)

    def _file(self, path: str) -> Path:
        return Path(self._get_os_path(path.strip("/")))

    def _bring_in_step(self, path: str) -> str:
        notebook = self._file(path)
        if notebook.suffix not in pair.SUFFIXES or notebook.is_dir():
            return ""
        try:
            return pair.bring_in_step(notebook)
        except FileNotFoundError:
            return ""  # the caller says so
        except pair.Unreadable as error:
            if notebook.suffix == ".ipynb":
                raise HTTPError(400, f"{error} Backups: make reset lists them.") from None
            return ""  # any other text in Markdown
        except OSError as error:
            raise HTTPError(400, f"{path} cannot be brought in step with its other half: {error.strerror}.") from None

    def _keep_unseen(self, notebook: Path, shown, path: str) -> None:
        """Keep the halves that hold work which neither the text on the screen nor the state last saved holds."""
        try:
            kept = pair.keep_unseen(notebook, shown, self.seen.get(notebook.with_suffix(""), set()))
        except OSError as error:
            raise HTTPError(400, f"Not saved: the backup of {path} cannot be written: {error.strerror}.") from None
        if kept:
            names = " and ".join(backups.named(backup) for backup in kept)
            self.untold[path.strip("/")] = (
                f"{notebook.name} was changed by another program while it was open here, and then saved from here. "
                f"What the other program had written is kept as {names}."
            )
            self.log.warning(self.untold[path.strip("/")])


def _notice(text: str):
    cell = nbformat.v4.new_markdown_cell(f"**Note.** {text} (This cell is not saved.)")
    cell["metadata"]["tags"] = [NOTICE]
    return cell


def install(prefix: Path = Path(sys.prefix)) -> Path:
    """Write the setting into the environment, where Jupyter looks for it, beside what is there. Returns the file."""
    file = prefix / "etc" / "jupyter" / "jupyter_server_config.json"
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    for owner, values in SETTINGS.items():
        settings.setdefault(owner, {}).update(values)
    write(file, (json.dumps(settings, indent=2) + "\n").encode())
    return file


if __name__ == "__main__":
    print(f"JupyterLab keeps the halves of notebooks in step: {install()}")
