"""A notebook of JSON that is nested 100,000 deep."""

# on: files
# costs: everything
# says: .

FILES = {"08_problem_lora.ipynb": '{"cells": ' + "[" * 100_000 + "]" * 100_000 + "}"}
