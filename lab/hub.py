"""Where a model lies: a folder, a GGUF file, or what a hub name has in the local cache, into which it is downloaded once."""

import re
from pathlib import Path

from lab import contents
from lab.contents import CheckpointError

SMALL_FILES = [*contents.SMALL, "*.tiktoken"]


def find(name: str) -> tuple[Path, str | None]:
    """The folder, and the name of the GGUF file in it if the model has this form. CheckpointError if there is no such model."""
    if not name.strip():
        raise CheckpointError("The name of the model is empty.")
    try:
        path = Path(name).expanduser()
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, RuntimeError) as error:  # too long a name; the home of nobody
        raise CheckpointError(f"There is no model {name[:100]!r}: {error}") from None
    if is_file:
        if path.suffix.lower() != ".gguf":
            raise CheckpointError(f"{path} is a file. Name the folder that holds the model, or a .gguf file.")
        return path.parent, path.name
    if not is_folder and path.suffix.lower() == ".gguf":
        raise CheckpointError(f"There is no file {name!r}.")
    folder = path if is_folder else _from_hub(name)
    gguf = contents.gguf_file(folder)
    return folder, gguf.name if gguf else None


def _from_hub(name: str) -> Path:
    """The folder of the local cache that holds the files of a hub's model."""
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        raise CheckpointError(f"There is no model {name!r}: no such folder, and hub names look like 'Qwen/Qwen2.5-0.5B'.")
    folder = _download(name, SMALL_FILES)
    if not (folder / "config.json").exists():
        if contents.gguf_file(folder):
            return folder
        if not any(folder.iterdir()):
            raise CheckpointError(f"{name!r} holds no config.json. If it holds GGUF files, download one and name its path.")
        contents.read_config(folder)  # says what it is instead
    for single in contents.SINGLE:
        _download(name, [single])
        if (folder / single).exists():
            break
        if (folder / f"{single}{contents.INDEX}").exists():
            _download(name, contents.shards(folder / f"{single}{contents.INDEX}"))
            break
    return folder


def _download(name: str, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise CheckpointError(f"The hub refuses {name!r} (HTTP {status}): check its spelling and your access.") from None
    except Exception as error:  # httpx, sockets and the cache raise many kinds when there is no network
        raise CheckpointError(
            f"{name!r} is neither in the local cache nor can it be downloaded now ({type(error).__name__}). "
            "Connect to the internet, or name a local folder."
        ) from None
