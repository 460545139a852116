"""A notebook of 20,000 cells with syntax errors."""

# on: files
# costs: everything
# says: .

import json

CELL = {"cell_type": "code", "source": "def LoRALinear(:", "metadata": {}, "outputs": []}
FILES = {"08_problem_lora.ipynb": json.dumps({"cells": [CELL] * 20_000, "nbformat": 4, "nbformat_minor": 5, "metadata": {}})}
