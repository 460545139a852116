"""Where child processes come from: a server that has imported torch once and forks in milliseconds.

This module imports no torch itself, so that the server can start while the parent is still importing it.
"""

import multiprocessing
import sys
from multiprocessing import forkserver

from grader.problems import PROBLEMS


def context():
    """The forkserver context; where there is none (Windows), fresh processes."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    server = multiprocessing.get_context("forkserver")
    checks = [f"grader.checks.{problem}" for problem in PROBLEMS]
    server.set_forkserver_preload(["grader.worker", *checks, "grader.preload"])
    return server


def warm_up() -> None:
    """Start the server now, in the background."""
    if context().get_start_method() == "forkserver":
        forkserver.ensure_running()
