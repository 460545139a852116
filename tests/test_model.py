"""Our model computes what transformers' Qwen2 computes, and bad files are told apart."""

import copy
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

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


def save_random_qwen2(folder, **options):
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=958, hidden_size=48, intermediate_size=80, num_hidden_layers=2, num_attention_heads=6,
        num_key_value_heads=3, max_position_embeddings=64, **options,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config).eval()
    for parameter in model.parameters():  # its biases are zeros otherwise, and would hide a mistake
        parameter.data.normal_(std=0.2)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(checkpoint.TINY / name, folder)
    return model


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


@pytest.mark.parametrize(
    "options",
    [
        {"tie_word_embeddings": True},
        {"tie_word_embeddings": False},
        {"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}},
    ],
)
def test_a_checkpoint_saved_by_transformers_loads(tmp_path, options):
    right = save_random_qwen2(tmp_path, **options)
    model, _ = checkpoint.load(tmp_path)
    ids = torch.randint(0, 958, (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert (model(ids) - right(ids).logits).abs().max() < 1e-4


def test_a_checkpoint_in_several_files_loads(tmp_path):
    right = save_random_qwen2(tmp_path)
    right.save_pretrained(tmp_path, max_shard_size="100KB")
    (tmp_path / "model.safetensors").unlink(missing_ok=True)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    model, _ = checkpoint.load(tmp_path)
    assert torch.equal(model.model.embed_tokens.weight, right.model.embed_tokens.weight)


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


def test_a_truncated_file_is_named(tmp_path):
    shutil.copytree(checkpoint.TINY, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match="model.safetensors is damaged"):
        checkpoint.load(tmp_path / "cut")


def test_a_foreign_model_is_named(tmp_path):
    shutil.copytree(checkpoint.TINY, tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "gpt2"}))
    with pytest.raises(CheckpointError, match="'gpt2'"):
        checkpoint.load(tmp_path / "other")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda w: w.pop("model.norm.weight"), "lack model.norm.weight"),
        (lambda w: w.update({"model.norm.weight": torch.ones(3)}), r"model.norm.weight has shape \(3,\)"),
        (lambda w: w.update({"model.extra": torch.ones(3)}), "model.extra has no place"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path, change, words):
    shutil.copytree(checkpoint.TINY, tmp_path / "other")
    path = tmp_path / "other" / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.load(tmp_path / "other")


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
