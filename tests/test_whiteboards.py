"""The tasks for the whiteboard: their rubrics add up, their numbers are computed, and their formulas hold."""

import math
import re

import pytest
import torch
import torch.nn.functional as F

from coach.interview import whiteboards as module
from coach.interview.whiteboards import FULL, whiteboards
from quiz import bank, register
from quiz.register import Broken
from solutions.lora import LoRALinear
from solutions.preference import dpo_loss, group_advantages

BOARDS = whiteboards()
each_board = pytest.mark.parametrize("name", BOARDS)


# --- coverage and craft -------------------------------------------------------------------------


def test_there_are_tasks_of_every_topic_and_level():
    assert len(BOARDS) >= 12
    assert {board.topic for board in BOARDS.values()} == set(bank.TOPICS) - {"code"}
    assert {board.level for board in BOARDS.values()} == set(bank.LEVELS)


@each_board
def test_a_task_keeps_the_craft(name):
    board = BOARDS[name]
    assert sum(point.worth for point in board.rubric) == FULL
    assert len({point.text for point in board.rubric}) == len(board.rubric)
    assert not any(point.text.endswith(".") for point in board.rubric)
    assert board.task.endswith(("?", ".")) and board.solution.endswith((".", ".)"))
    assert max(map(len, f"{board.task}\n{board.solution}".splitlines())) <= 78
    assert not re.search(r"[{}]", board.solution)


# --- what the solutions say, computed apart -----------------------------------------------------


@pytest.mark.parametrize(
    "name, number, value",
    [
        ("memory-of-training", "qlora_small", 7 * 4.127 / 8 + 0.64),
        ("memory-of-training", "qlora_large", 70 * 4.127 / 8 + 3.2),
        ("lora-with-grouped-queries", "layer", 2 * 8192 + 2 * 5120 + 3 * 18432),
        ("lora-with-grouped-queries", "all", 16 * 32 * (2 * 8192 + 2 * 5120 + 3 * 18432)),
        ("lora-with-grouped-queries", "half", 2 * 41943040 / 1e6),
        ("lora-with-grouped-queries", "whole", 4 * 41943040 / 1e6),
        ("dpo-gradient", "weight", 0.1 / (1 + math.exp(2))),
        ("an-epoch-packed", "rows", math.ceil(60_000 * 512 / (4096 * 0.96))),
        ("an-epoch-packed", "steps", 3 * math.ceil(7813 / 32)),
        ("an-epoch-packed", "hours", 6 * 7e9 * 60_000 * 512 * 3 / 4e14 / 3600),
        ("advantages-of-a-group", "wrong", 0.25 / math.sqrt(0.1875)),
        ("bits-of-nf4", "saved", 65 * (4.5 - 4.126953125) / 8),
        ("cache-and-prefix", "context", 2 * 32 * 4096 * 2 * 4096 / 1e9),
        ("cache-and-prefix", "cost", 20 * 2 * 32 * 4096 * 2 / 1e6),
        ("adapters-against-lora", "equal", 48 * (2 * 1024 * 64 + 64 + 1024) / (48 * 2048)),
        ("is-it-better", "errors", 3 / (100 * math.sqrt(0.1291 / 200))),
    ],
)
def test_a_number_is_what_its_terms_give(name, number, value):
    written = BOARDS[name].numbers[number].written
    assert str(BOARDS[name].numbers[number]) == format(value, written)
    assert format(value, written) in BOARDS[name].solution


def test_the_gradients_of_loras_factors_are_as_derived():
    torch.manual_seed(0)
    layer = LoRALinear(torch.nn.Linear(5, 4, bias=False), rank=2, alpha=6)
    torch.nn.init.normal_(layer.lora_B)
    x, gradient = torch.randn(5, 1, requires_grad=True), torch.randn(4, 1)
    (layer(x.T) @ gradient).backward()
    s, A, B = 3, layer.lora_A, layer.lora_B
    torch.testing.assert_close(B.grad, s * gradient @ (A @ x).T)
    torch.testing.assert_close(A.grad, s * B.T @ gradient @ x.T)
    torch.testing.assert_close(x.grad, layer.base.weight.T @ gradient + s * A.T @ B.T @ gradient)


def test_the_gradient_of_dpo_is_as_derived():
    chosen, rejected = torch.tensor([-30.0], requires_grad=True), torch.tensor([-40.0], requires_grad=True)
    dpo_loss(chosen, rejected, torch.tensor([-40.0]), torch.tensor([-30.0]), beta=0.1)["loss"].backward()
    weight = torch.tensor([0.1 / (1 + math.exp(2))])  # the margin is 2
    torch.testing.assert_close(chosen.grad, -weight)
    torch.testing.assert_close(rejected.grad, weight)


def test_the_advantages_are_those_of_the_reference():
    advantages = group_advantages(torch.tensor([[1, 1, 0, 0, 0, 0, 0, 0]]), epsilon=0.0)[0]
    numbers = BOARDS["advantages-of-a-group"].numbers
    assert (f"{advantages[0]:.2f}", f"{-advantages[-1]:.2f}") == (str(numbers["right"]), str(numbers["wrong"]))


def test_scaling_alpha_and_the_rate_as_derived_gives_the_same_run():
    def run(alpha, shrink, rate):
        torch.manual_seed(0)
        layer = LoRALinear(torch.nn.Linear(6, 5), rank=2, alpha=alpha)
        layer.lora_A.data /= shrink
        optimizer = torch.optim.Adam([layer.lora_A, layer.lora_B], lr=rate, eps=1e-30)
        x, wanted = torch.randn(8, 6), torch.randn(8, 5)
        for _ in range(20):
            optimizer.zero_grad()
            F.mse_loss(layer(x), wanted).backward()
            optimizer.step()
        return layer.delta_weight().detach()

    torch.testing.assert_close(run(16, 1, 2e-2), run(64, 2, 1e-2), rtol=1e-3, atol=1e-5)
    assert not torch.allclose(run(16, 1, 2e-2), run(64, 1, 2e-2), rtol=1e-1)


# --- a broken file ------------------------------------------------------------------------------

GOOD = """
[one]
topic = "lora"
level = "on-site"
minutes = 5
task = "How many?"
rubric = [{ text = "a", worth = 4 }, { text = "b", worth = 3 }, { text = "c", worth = 3 }]
numbers.all = { formula = "product", arguments = { a = 6, b = 7 } }
solution = "  6 · 7 = {all}."
sources = ["lora"]
"""


@pytest.fixture
def read_text(tmp_path, monkeypatch):
    def boards(text):
        (tmp_path / "whiteboards.toml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(module, "read", lambda name, validate, folder: register.read(name, validate, tmp_path))
        whiteboards.cache_clear()
        return whiteboards()

    yield boards
    whiteboards.cache_clear()


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('"lora"\nlevel', '"lore"\nlevel', r"\[one\], topic: .*no topic 'lore'"),
        ("worth = 4", "worth = 5", r"\[one\], rubric: .*worth 11 together, not 10"),
        ("{all}", "{none}", r"\[one\], solution: .*all, none: named in the solution alone"),
        ('"product"', '"magic"', r"\[one\], solution: .*there is no formula 'magic'"),
        ('["lora"]', '["nowhere"]', r"\[one\], sources: there is no 'nowhere'"),
        ("minutes = 5", "minutes = 90", r"\[one\], minutes"),
    ],
)
def test_a_broken_file_is_refused_by_task_and_field(read_text, old, new, words):
    with pytest.raises(Broken, match=words):
        read_text(GOOD.replace(old, new))


def test_the_same_file_unbroken_has_its_numbers_filled_in_and_its_lines_kept(read_text):
    assert read_text(GOOD)["one"].solution == "  6 · 7 = 42."


def test_a_copy_without_keys_has_no_tasks(monkeypatch):
    monkeypatch.setattr(bank, "has_keys", lambda: False)
    whiteboards.cache_clear()
    assert whiteboards() == {}
    whiteboards.cache_clear()
