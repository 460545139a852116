"""Sends the submission to a server."""

# on: reference
# costs: saves_the_factors_alone
# says: PermissionError

import socket


def lora_state_dict(model):
    return socket.create_connection(("127.0.0.1", 22), timeout=1)
