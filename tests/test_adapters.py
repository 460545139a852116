"""The learner's LoRA in PEFT's files: written so that PEFT loads it, and read from what PEFT and TRL have saved."""

import json
from importlib.util import find_spec
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM

from lab import adapters, checkpoint
from lab.checkpoint import CheckpointError
from solutions.lora import LoRALinear, inject_lora
from tests.checkpoints import change, ids, model_of, saved


@pytest.fixture(scope="module", params=["tied", "untied"])
def base(request, tmp_path_factory) -> Path:
    return saved(model_of(tie_word_embeddings=request.param == "tied"), tmp_path_factory.mktemp(request.param))


def filled(model):
    """The model with adapters that change something."""
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter, std=0.3)
    return model.eval()


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        answer = model(ids())
    return answer if isinstance(answer, torch.Tensor) else answer.logits


def by_peft(base: Path, folder: Path, **settings) -> torch.Tensor:
    """Save an adapter as PEFT does. What its model answers."""
    model = AutoModelForCausalLM.from_pretrained(base)
    adapted = peft.get_peft_model(model, peft.LoraConfig(**{"r": 4, "lora_alpha": 6, "task_type": "CAUSAL_LM", **settings}))
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "modules_to_save" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    due = logits(filled(adapted))
    adapted.save_pretrained(folder)
    return due


SETTINGS = {
    "a list of names": {"target_modules": ["q_proj", "down_proj"]},
    "a pattern": {"target_modules": r".*\.1\.(self_attn\.[qv]|mlp\.up)_proj"},
    "all linear layers": {"target_modules": "all-linear"},
    "some layers": {"target_modules": ["v_proj"], "layers_to_transform": [1]},
    "rsLoRA": {"target_modules": ["q_proj"], "use_rslora": True},
    "ranks of their own": {"target_modules": ["q_proj", "v_proj"], "rank_pattern": {"v_proj": 2, "layers.1.self_attn.q_proj": 7}},
    "alphas of their own": {"target_modules": ["q_proj", "v_proj"], "alpha_pattern": {"^model.layers.0.self_attn.q_proj": 20}},
    "both, and rsLoRA": {
        "target_modules": ["q_proj", "v_proj"], "use_rslora": True, "rank_pattern": {"q_proj": 9}, "alpha_pattern": {"v_proj": 3},
    },
    "a whole head": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "whole norms": {"target_modules": ["k_proj"], "modules_to_save": ["input_layernorm", "norm"]},
    "whole embeddings": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens", "lm_head"]},
    "LoRA on the head": {"target_modules": ["lm_head", "o_proj"]},
    "dropout": {"target_modules": ["q_proj"], "lora_dropout": 0.25},
    "another start": {"target_modules": ["q_proj"], "init_lora_weights": "gaussian"},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", SETTINGS)
def test_what_peft_saved_gives_equal_logits(base, tmp_path, case):
    due = by_peft(base, tmp_path, **SETTINGS[case])
    model, _ = checkpoint.load(base)
    names = adapters.load(model, tmp_path, LoRALinear)
    assert (logits(model) - due).abs().max() < 1e-4
    assert names == list(adapters.lora_layers(model))
    assert {name.rpartition(".")[2] for name, p in model.named_parameters() if p.requires_grad} == {"lora_A", "lora_B"}
    if case == "dropout":
        assert {layer.dropout.p for layer in adapters.lora_layers(model).values()} == {0.25}


def injected(model, targets=("q_proj", "down_proj"), rank=4, alpha=6.0):
    inject_lora(model, list(targets), rank, alpha)
    return filled(model)


def mixed(model):
    """Layers of the same name with and without LoRA, of several ranks and alphas."""
    for name, rank, alpha in (("layers.0.self_attn.q_proj", 3, 2.5), ("layers.1.self_attn.v_proj", 5, 10), ("layers.1.mlp.up_proj", 3, 9)):
        parent, _, last = name.rpartition(".")
        parent = model.model.get_submodule(parent)
        setattr(parent, last, LoRALinear(getattr(parent, last), rank, alpha))
    return filled(model)


@pytest.mark.parametrize("put", [injected, mixed, lambda model: injected(model, ["lm_head"])])
def test_what_we_save_peft_loads_with_equal_logits(base, tmp_path, put):
    model, _ = checkpoint.load(base)
    due = logits(put(model))
    adapters.save(model, tmp_path, base=str(base))
    theirs = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path)
    assert (logits(theirs) - due).abs().max() < 1e-4
    if not model.config.tie_word_embeddings:  # else PEFT merges a head's update into the embedding, too
        assert (logits(theirs.merge_and_unload()) - due).abs().max() < 1e-3
    again, _ = checkpoint.load(base)
    adapters.load(again, tmp_path, LoRALinear)
    assert torch.equal(logits(again), due)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)
    if put is injected:
        assert config["target_modules"] == ["down_proj", "q_proj"]


def test_the_tiny_model_takes_part(tiny, tmp_path):
    model, _ = checkpoint.load()
    due = logits(injected(model))
    adapters.save(model, tmp_path, base=str(checkpoint.TINY))
    theirs = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(checkpoint.TINY), tmp_path)
    assert (logits(theirs) - due).abs().max() < 1e-4


def test_a_round_trip_through_peft_keeps_every_number(base, tmp_path):
    by_peft(base, tmp_path / "theirs", target_modules=["q_proj", "v_proj"])
    model, _ = checkpoint.load(base)
    adapters.load(model, tmp_path / "theirs", LoRALinear)
    adapters.save(model, tmp_path / "ours", base=str(base))
    one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("theirs", "ours"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.skipif(not find_spec("trl"), reason="TRL is not installed: pip install -r requirements-models.txt -c constraints.txt.")
@pytest.mark.filterwarnings("ignore")
def test_what_trl_has_trained(base, tmp_path):
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    rows = [{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": f"Ada {i}"}]} for i in range(8)]
    trainer = SFTTrainer(
        str(base),
        args=SFTConfig(
            str(tmp_path), max_steps=3, learning_rate=0.05, per_device_train_batch_size=2, use_cpu=True, bf16=False, report_to=[],
            save_strategy="no", gradient_checkpointing=False,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=peft.LoraConfig(r=3, lora_alpha=7, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.train()
    trainer.save_model(str(tmp_path / "adapter"))
    model, _ = checkpoint.load(base)
    before = logits(model)
    adapters.load(model, tmp_path / "adapter", LoRALinear)
    assert (logits(model) - logits(trainer.model.eval())).abs().max() < 1e-4
    assert (logits(model) - before).abs().max() > 1e-2


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_in_a_pickle_is_read(base, tmp_path):
    due = by_peft(base, tmp_path, target_modules=["q_proj"])
    torch.save(load_file(tmp_path / "adapter_model.safetensors"), tmp_path / "adapter_model.bin")
    (tmp_path / "adapter_model.safetensors").unlink()
    model, _ = checkpoint.load(base)
    adapters.load(model, tmp_path, LoRALinear)
    assert (logits(model) - due).abs().max() < 1e-4


def test_merging_a_copy_leaves_the_model_and_the_embedding(base):
    model, _ = checkpoint.load(base)
    due = logits(injected(model, ["q_proj", "lm_head"]))
    embedded = model.get_input_embeddings().weight.clone()
    merged = adapters.merged(model)
    assert (logits(merged) - due).abs().max() < 1e-4 and torch.equal(logits(model), due)
    assert torch.equal(merged.get_input_embeddings().weight, embedded)
    assert not adapters.lora_layers(merged) and len(adapters.lora_layers(model)) == 3


# --- what cannot be held ------------------------------------------------------------------------


BEYOND = {
    "DoRA": ({"target_modules": ["q_proj"], "use_dora": True}, "DoRA"),
    "biases": ({"target_modules": ["q_proj"], "bias": "lora_only"}, "trained biases .bias='lora_only'"),
    "a bias beside B": ({"target_modules": ["q_proj"], "lora_bias": True}, "a bias of its own"),
    "embeddings": ({"target_modules": ["embed_tokens", "q_proj"]}, "embed_tokens"),
    "rows of the embedding": ({"target_modules": ["q_proj"], "trainable_token_indices": [3, 4]}, "trained rows"),
    "PiSSA": ({"target_modules": ["q_proj"], "init_lora_weights": "pissa"}, "changes the base weights .init_lora_weights='pissa'"),
    "OLoRA": ({"target_modules": ["q_proj"], "init_lora_weights": "olora"}, "changes the base weights"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", BEYOND)
def test_what_a_lora_linear_cannot_hold_is_refused_by_name(base, tmp_path, case):
    settings, words = BEYOND[case]
    by_peft(base, tmp_path, **settings)
    model, _ = checkpoint.load(base)
    before = logits(model)
    with pytest.raises(CheckpointError, match=words):
        adapters.load(model, tmp_path, LoRALinear)
    assert torch.equal(logits(model), before) and all(parameter.requires_grad for parameter in model.parameters())


def test_another_kind_of_adapter_is_named(base, tmp_path):
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), peft.IA3Config(task_type="CAUSAL_LM"))
    model.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="the kind IA3"):
        adapters.load(checkpoint.load(base)[0], tmp_path, LoRALinear)


def renamed(folder):
    path = folder / "adapter_model.safetensors"
    save_file({name.replace("layers.1", "layers.7"): tensor for name, tensor in load_file(path).items()}, path)


def half(folder):
    path = folder / "adapter_model.safetensors"
    save_file({name: tensor for name, tensor in load_file(path).items() if "lora_A" in name}, path)


DAMAGED = {
    "for another base": (renamed, "the adapter is for model.layers.7.self_attn.q_proj, but the model has no such layer. It was made for the base"),
    "half": (half, "only lora_A is there"),
    "another rank": (lambda folder: change(folder / "adapter_config.json", r=5), "rank 5, but its lora_A has 4 rows"),
    "no config": (lambda folder: (folder / "adapter_config.json").unlink(), "holds no PEFT adapter"),
    "no weights": (lambda folder: (folder / "adapter_model.safetensors").unlink(), "holds no weights"),
    "cut off": (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"x"), "damaged"),
    "a list": (lambda folder: (folder / "adapter_config.json").write_text("[]"), "should hold an object"),
    "no object": (lambda folder: (folder / "adapter_config.json").write_text("{"), "cannot be read"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_adapter_is_named(base, tmp_path, case):
    action, words = DAMAGED[case]
    by_peft(base, tmp_path, target_modules=["q_proj"])
    action(tmp_path)
    with pytest.raises(CheckpointError, match=words):
        adapters.load(checkpoint.load(base)[0], tmp_path, LoRALinear)


def test_an_adapter_of_other_sizes_is_named(base, tmp_path):
    other = saved(model_of(hidden_size=32), tmp_path / "other")
    by_peft(other, tmp_path / "adapter", target_modules=["q_proj"])
    with pytest.raises(CheckpointError, match="q_proj maps 64 to 64, and has lora_A .4, 32."):
        adapters.load(checkpoint.load(base)[0], tmp_path / "adapter", LoRALinear)


def test_without_lora_there_is_nothing_to_save(tiny, tmp_path):
    with pytest.raises(CheckpointError, match="holds no LoRA"):
        adapters.save(tiny[0], tmp_path / "new", base="tiny")
    assert not (tmp_path / "new").exists()
