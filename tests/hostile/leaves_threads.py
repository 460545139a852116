"""Leaves threads that go on with arithmetic in the next checks."""

# on: reference
# costs: ?

import threading


def endless():
    while True:
        sum(range(1000))


def start(function):
    for _ in range(3):
        threading.Thread(target=endless).start()
    return function


lora_state_dict = start(lora_state_dict)
