"""A notebook whose code has half a character."""

# on: files
# costs: everything
# says: .

FILES = {
    "08_problem_lora.ipynb": '{"cells": [{"cell_type": "code", "source": "LoRALinear = \'\\ud800\'"}], "nbformat": 4}',
}
