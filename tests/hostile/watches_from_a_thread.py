"""Reads the frames of the main thread from another one, again and again."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “saw: PermissionError

import sys
import threading

seen = []


def watch():
    try:
        seen.append(sorted(sys._current_frames()))
    except BaseException as error:
        seen.append(f"{type(error).__name__} {error}")


def lora_state_dict(model):
    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    raise OSError(f"saw: {seen[0]}")
