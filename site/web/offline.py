"""What lets a browser keep the site: the list of all files by their content, the service worker, the manifest."""

import hashlib
import json
from pathlib import Path

MANIFEST = {
    "name": "Fine-tuning language models",
    "short_name": "Fine-tuning",
    "description": "A course that proves its answers: lessons, a quiz and coding problems, without a network.",
    "start_url": "index.html",
    "scope": "./",
    "display": "standalone",
    "background_color": "#ffffff",
    "theme_color": "#0a4d8c",
    "icons": [
        {"src": "_static/course/icon-192.png", "sizes": "192x192", "type": "image/png"},
        {"src": "_static/course/icon-512.png", "sizes": "512x512", "type": "image/png"},
        {"src": "_static/course/icon-512.png", "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
        {"src": "_static/course/icon.svg", "sizes": "any", "type": "image/svg+xml"},
    ],
}
LEFT_OUT = {"sw.js", ".nojekyll"}
TO_TAKE_AWAY = ".ipynb"  # whoever runs a notebook has a network, and the notebooks are half of the site


def write(site: Path, worker: Path) -> None:
    """Adds the service worker and the manifest to a site that is otherwise complete.

    Args:
        site: its folder.
        worker: the service worker's script, in which FILES stands for the list of files.
    """
    (site / "manifest.webmanifest").write_text(json.dumps(MANIFEST, indent=1) + "\n", encoding="utf-8")
    files = {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(site.rglob("*"))
        if path.is_file() and path.name not in LEFT_OUT and path.suffix != TO_TAKE_AWAY
    }
    edition = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
    text = worker.read_text(encoding="utf-8")
    text = text.replace('"EDITION"', json.dumps(edition)).replace('"FILES"', json.dumps(files, indent=0))
    (site / "sw.js").write_text(text, encoding="utf-8")
    (site / ".nojekyll").touch()  # GitHub Pages leaves out folders that begin with _ otherwise
