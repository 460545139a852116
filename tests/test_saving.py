"""What is saved is the model that it is: it loads again, here and in transformers, or it is not saved."""

import copy
import warnings

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from lab import checkpoint, data
from lab.checkpoint import CheckpointError
from solutions.lora import inject_lora, merge_lora
from tests.checkpoints import change, ids, model_of, saved


@pytest.fixture
def tiny_copy(tiny):
    return copy.deepcopy(tiny[0]), tiny[1]


def with_own_head(model):
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    return model


@pytest.mark.parametrize("untie_first", [True, False])
@pytest.mark.parametrize("own", [True, False])
def test_a_head_that_was_trained_survives(tiny_copy, tmp_path, own, untie_first):
    model, tokenizer = tiny_copy if own else checkpoint.load(checkpoint.TINY)
    inject_lora(with_own_head(model) if untie_first else model, ["lm_head"], 4, 8.0)
    nn.init.normal_(model.lm_head.lora_B, std=0.1)
    due = model(ids()).detach()
    embedded = model.get_input_embeddings().weight.detach().clone()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        merge_lora(model)
    assert bool(told) != untie_first
    checkpoint.save(model, tokenizer, tmp_path)
    again, _ = checkpoint.load(tmp_path)
    assert (again(ids()) - due).abs().max() < 1e-4
    assert torch.equal(again.get_input_embeddings().weight, embedded)


def test_layers_without_a_place_in_the_files_are_named(tiny_copy, tmp_path):
    model, tokenizer = tiny_copy
    model.model.soft_prompt = nn.Parameter(torch.zeros(4, 128))
    with pytest.raises(CheckpointError, match="model.soft_prompt"):
        checkpoint.save(model, tokenizer, tmp_path / "own")
    model, tokenizer = checkpoint.load(checkpoint.TINY)
    model.model.soft_prompt = nn.Parameter(torch.zeros(4, 128))
    with pytest.raises(CheckpointError, match="model.soft_prompt"):
        checkpoint.save(model, tokenizer, tmp_path / "theirs")
    assert not (tmp_path / "own").exists() and not (tmp_path / "theirs").exists()


def test_a_model_from_a_folder_is_fine_tuned_and_saved(tmp_path):
    """Loaded, adapted, trained, merged, saved: transformers then computes the same."""
    model, tokenizer = checkpoint.load(saved(model_of(tie_word_embeddings=True), tmp_path / "old"))
    inject_lora(model, ["q_proj", "down_proj"], 4, 8.0)
    batch = data.dialogue_batch(tokenizer, [[{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada"}]])
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for _ in range(2):
        logits = model(batch["input_ids"], batch["attention_mask"])
        nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten()).backward()
        optimizer.step()
    due = model(ids()).detach()
    with pytest.raises(CheckpointError, match="holds LoRA in 4 layers.*merge=True"):
        checkpoint.save(model, tokenizer, tmp_path / "new")
    checkpoint.save(model, tokenizer, tmp_path / "new", merge=True)
    assert torch.equal(model(ids()), due), "the model itself stays as it is"
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "new")
    assert (again(ids()).logits - due).abs().max() < 1e-4
    assert again.config.architectures == ["Qwen2ForCausalLM"]


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda model: setattr(model.model, "layers", model.model.layers[:1]), "lacks model.layers.1"),
        (lambda model: setattr(model.model, "embed_tokens", nn.Embedding(2000, 8)), "embed_tokens.weight has shape .2000, 8."),
        (lambda model: model.model.norm.weight.data.fill_(float("nan")), "model.norm.weight holds NaN"),
    ],
)
def test_a_model_that_could_not_be_loaded_again_is_not_saved(tiny_copy, tmp_path, own, spoil, words):
    model, tokenizer = tiny_copy if own else checkpoint.load(checkpoint.TINY)
    spoil(model)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.save(model, tokenizer, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_saving_over_an_older_model_leaves_nothing_of_it(tiny, tmp_path):
    saved(model_of(), tmp_path, max_shard_size="100KB")
    change(tmp_path / "generation_config.json", eos_token_id=[7])
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    checkpoint.save(*tiny, tmp_path)
    model, tokenizer = checkpoint.load(tmp_path)
    assert (model(ids()) - tiny[0](ids())).abs().max() < 1e-4
    assert tokenizer.eos_ids == [1] and tokenizer.chat([{"role": "user", "content": "x"}]) == "<|user|> x<|end|>"
