"""Ignores every signal that it may ignore, then loops."""

# on: reference
# costs: saves_the_factors_alone
# says: ran out of time

import signal


def lora_state_dict(model):
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        pass
