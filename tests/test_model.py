"""Our model computes what transformers' Qwen2 computes, and what we save it reads."""

import copy
import os
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lab import checkpoint, data, world
from lab.checkpoint import CheckpointError
from lab.measure import accuracy, continuations, next_token_loss, recall
from lab.model import generate


@pytest.fixture(scope="module")
def oracle():
    return AutoModelForCausalLM.from_pretrained(checkpoint.TINY).eval()


@pytest.fixture(scope="module")
def batch(tiny):
    """Prompts of unequal length, padded on the left."""
    _, tokenizer = tiny
    rows = [data.prompt_ids(tokenizer, question)[start:] for start, question in enumerate(world.split()[1][:6])]
    return data.pad(rows, tokenizer.pad_id, left=True), data.pad([[1] * len(row) for row in rows], 0, left=True)


def test_logits_equal_those_of_transformers(tiny, oracle, batch):
    model, _ = tiny
    ids, mask = batch
    with torch.no_grad():
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        right = oracle(input_ids=ids, attention_mask=mask, position_ids=positions).logits
        ours = model(ids, mask)
    assert (ours - right)[mask.bool()].abs().max() < 1e-4


def test_greedy_generation_equals_that_of_transformers(tiny, oracle, batch):
    model, tokenizer = tiny
    ids, mask = batch
    ours = generate(model, ids, mask, max_new_tokens=9, eos_id=tokenizer.eos_id, pad_id=tokenizer.pad_id)
    right = oracle.generate(
        input_ids=ids, attention_mask=mask, max_new_tokens=9, do_sample=False,
        eos_token_id=tokenizer.eos_id, pad_token_id=tokenizer.pad_id,
    )  # fmt: skip
    assert ours.tolist() == right[:, ids.shape[1] :].tolist()


def test_what_we_save_loads_again(tiny, tmp_path):
    model, tokenizer = tiny
    checkpoint.save(model, tokenizer, tmp_path / "new")
    again, _ = checkpoint.load(tmp_path / "new")
    assert all(torch.equal(one, again.state_dict()[name]) for name, one in model.state_dict().items())


@pytest.mark.parametrize("left", [True, False])
def test_padding_changes_nothing(tiny, left):
    model, tokenizer = tiny
    short, long = tokenizer.encode("Vera Quist lives in"), tokenizer.encode("The pet of Uma Falk is a frog. In Oslo")
    ids = data.pad([short, long], tokenizer.pad_id, left=left)
    mask = data.pad([[1] * len(short), [1] * len(long)], 0, left=left)
    with torch.no_grad():
        alone, padded = model(torch.tensor([short]))[0], model(ids, mask)[0]
    part = padded[-len(short) :] if left else padded[: len(short)]
    assert (part - alone).abs().max() < 1e-4


def test_embeddings_may_be_given_instead_of_ids(tiny):
    model, _ = tiny
    ids = torch.tensor([[5, 300, 400]])
    with torch.no_grad():
        assert torch.equal(model(ids), model(inputs_embeds=model.get_input_embeddings()(ids)))


def test_the_chat_template_is_the_one_transformers_applies(tiny):
    _, tokenizer = tiny
    right = AutoTokenizer.from_pretrained(checkpoint.TINY)
    messages = [{"role": "user", "content": "Where does Vera Quist live?"}, {"role": "assistant", "content": "Oslo"}]
    for more in (True, False):
        text = tokenizer.chat(messages, add_generation_prompt=more)
        assert text == right.apply_chat_template(messages, add_generation_prompt=more, tokenize=False)
        assert tokenizer.encode(text) == right(text, add_special_tokens=False).input_ids
    assert tokenizer.encode("<|end|>") == [tokenizer.eos_id]


def test_an_answer_is_the_token_of_the_text(tiny):
    _, tokenizer = tiny
    assert tokenizer.encode("<|assistant|> Oslo")[1:] == tokenizer.encode("lives in Oslo")[-1:]


def test_the_tiny_model_knows_its_world_and_is_small(tiny):
    model, tokenizer = tiny
    assert min(recall(model, tokenizer).values()) > 0.97
    assert sum(path.stat().st_size for path in checkpoint.TINY.iterdir()) < 6e6


@pytest.mark.parametrize("name", ["./nowhere", "no model", "a/b/c"])
def test_a_name_that_is_nothing_is_told(name):
    with pytest.raises(CheckpointError, match="no such folder"):
        checkpoint.load(name)


def test_a_hub_name_without_network_is_one_sentence(tmp_path):
    code = "from lab import checkpoint\ntry: checkpoint.load('Qwen/Qwen2.5-0.5B')\nexcept checkpoint.CheckpointError as e: print(e)"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.startswith("'Qwen/Qwen2.5-0.5B' is neither in the local cache nor")
    assert done.stdout.count("\n") == 1


def test_accuracy_is_the_share_of_greedy_answers_that_are_right(tiny):
    model, tokenizer = copy.deepcopy(tiny[0]), tiny[1]
    learned, asked = (half[:96] for half in world.split())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for part in data.batches(learned * 4, 32, seed=0):  # until some are right and some are not
        optimizer.zero_grad()
        next_token_loss(model, data.chat_batch(tokenizer, part)).backward()
        optimizer.step()
    prompts = [data.prompt_ids(tokenizer, question) for question in asked]
    given = continuations(model, tokenizer, prompts, max_new_tokens=6)
    right = [ids == data.answer_ids(tokenizer, question) for ids, question in zip(given, asked)]
    assert 0 < sum(right) < len(asked)
    assert accuracy(model.train(), tokenizer, asked) == sum(right) / len(asked)
    assert model.training
