"""Where child processes come from: a server that has imported torch once and forks in milliseconds.

This module imports no torch itself, so that the server can start while the parent is still importing it.

A Jupyter kernel takes all that arrives at its descriptors 1 and 2 for the output of the present cell. So no process that
is started here gets these descriptors: what the server, its children and Python's resource tracker print goes nowhere.
"""

import multiprocessing
import os
import sys
import threading
import warnings
from contextlib import contextmanager
from multiprocessing import forkserver

PRELOAD = ["grader.uninterrupted", "grader.worker", "grader.preload"]

_SWAPPING = threading.Lock()  # a notebook starts children from two threads

# The tracker of Python's multiprocessing, when it was killed: it is started anew, and it held nothing of ours.
warnings.filterwarnings("ignore", message="resource_tracker: process died unexpectedly")


def context():
    """The forkserver context; where there is none (Windows), fresh processes."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOAD)
    return server


def warm_up() -> None:
    """Start the server now, in the background. One that runs is left alone."""
    if context().get_start_method() == "forkserver":
        with _unheard():
            forkserver.ensure_running()


def start(process) -> None:
    """Start a child, and before it the server if there is none, or none any more."""
    if context().get_start_method() == "forkserver":
        warm_up()
        process.start()
    else:
        with _unheard():
            process.start()


@contextmanager
def _unheard():
    """Processes that are started meanwhile get descriptors 0 to 2 that lead nowhere.

    On Windows a kernel does not read its descriptors, and the console's do not bear the change.
    """
    if sys.platform == "win32":
        yield
        return
    with _SWAPPING:
        nowhere = os.open(os.devnull, os.O_RDWR)
        kept = {descriptor: _copy(descriptor) for descriptor in (0, 1, 2)}
        try:
            for descriptor in kept:
                os.dup2(nowhere, descriptor)
            yield
        finally:
            for descriptor, copy in kept.items():
                if copy is None:
                    os.close(descriptor)
                else:
                    os.dup2(copy, descriptor)
                    os.close(copy)
            os.close(nowhere)


def _copy(descriptor: int) -> int | None:
    """A copy with a number above 2, which no child inherits. None if the descriptor is closed."""
    import fcntl  # there is none on Windows

    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    except OSError:
        return None
