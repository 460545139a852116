"""JupyterHub starts the server of each student in a folder of their own, from one course that can only be read."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import partial
from importlib.util import find_spec

import psutil
import pytest

from classroom.handout.release import release
from tests.test_shared import closed

pytestmark = [
    pytest.mark.skipif(
        not find_spec("jupyterhub"),
        reason="JupyterHub is not installed: pip install -r requirements-hub.txt -c constraints.txt.",
    ),
    pytest.mark.skipif(os.name != "posix", reason="JupyterHub needs Linux or macOS"),
]
TOKEN = "a-token-for-the-test-alone-0123456789"
# The servers are asked directly, so that no proxy, which needs Node.js, is wanted.
SETTINGS = """
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import SimpleLocalProcessSpawner

class NoProxy(Proxy):
    should_start = False
    async def add_route(self, routespec, target, data): print("ROUTE", routespec, target, flush=True)
    async def delete_route(self, routespec): pass
    async def get_all_routes(self): return {{}}
    async def check_routes(self, *_): pass

c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = {{"anna", "ben"}}
c.JupyterHub.spawner_class = SimpleLocalProcessSpawner
c.SimpleLocalProcessSpawner.home_dir_template = "{homes}/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "desk", "hub"]
c.Spawner.environment = {{"PYTHONPATH": {course!r}, "PYTHONDONTWRITEBYTECODE": "1", "JUPYTERHUB_ALLOW_TOKEN_IN_URL": "0"}}
c.Spawner.args = {root!r}
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
c.JupyterHub.services = [{{"name": "test", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [{{"name": "test", "scopes": ["admin:users", "admin:servers", "access:servers"], "services": ["test"]}}]
"""


def ask(address: str, method: str = "GET"):
    request = urllib.request.Request(
        address, method=method, headers={"Authorization": f"token {TOKEN}"}, data=b"" if method == "POST" else None
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def until(found, seconds: float = 120):
    """What `found` gives, as soon as it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except urllib.error.HTTPError:
            raise
        except OSError:  # it does not listen yet
            pass
        time.sleep(0.3)
    raise TimeoutError


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    yield from closed(tmp_path_factory.mktemp("opt") / "course", partial(release, without=["topics"]))


@pytest.fixture
def hub(course, tmp_path):
    """The address of a running hub."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = ["--allow-root"] if os.geteuid() == 0 else []
    settings = {"port": port, "homes": tmp_path, "python": sys.executable, "course": str(course), "root": root, "token": TOKEN}
    (tmp_path / "config.py").write_text(SETTINGS.format(**settings))
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", "config.py"], cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield f"http://127.0.0.1:{port}/hub/api"
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:  # the servers that it has started, too
            one.kill()
        process.wait()


def test_two_students_get_servers_in_folders_of_their_own(hub, course, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in course.rglob("*")}
    until(lambda: ask(hub))
    for name in ("anna", "ben"):
        (tmp_path / name).mkdir()
        until(lambda name=name: ask(f"{hub}/users/{name}"))
        ask(f"{hub}/users/{name}/server", "POST")
    for name in ("anna", "ben"):
        until(lambda name=name: ask(f"{hub}/users/{name}")["servers"].get("", {}).get("ready"))
    log = (tmp_path / "log").read_text()
    assert log.count("holds your own notebooks") == 2 and "Traceback" not in log
    routes = dict(line.split()[1:] for line in log.splitlines() if line.startswith("ROUTE"))
    for name in ("anna", "ben"):
        path = f"{routes[f'/user/{name}/']}/user/{name}/api/contents/notebooks/08_problem_lora.ipynb"
        notebook = ask(path)
        assert notebook["writable"] and notebook["content"]["cells"]
        there = {path.name for path in (tmp_path / name / "finetuning" / "notebooks").iterdir()}
        assert there >= {path.name for path in (course / "notebooks").iterdir()}
    assert {path: path.stat().st_mtime_ns for path in course.rglob("*")} == before
