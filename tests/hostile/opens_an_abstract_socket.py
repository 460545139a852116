"""Waits for other submissions at a socket that has no file."""

# on: reference
# costs: saves_the_factors_alone
# says: PermissionError

import socket


def lora_state_dict(model):
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0meeting")
