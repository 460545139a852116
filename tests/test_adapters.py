"""The learner's LoRA in PEFT's files: written so that PEFT loads it, and read from what PEFT and TRL have saved."""

import copy
import json
import shutil
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

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


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


def grown(model):
    """The model with tokens added."""
    torch.manual_seed(5)
    model.resize_token_embeddings(1100)
    return model


def by_peft(base: Path, folder: Path, prepared=lambda model: model, **settings) -> torch.Tensor:
    """Save an adapter as PEFT does. What its model answers."""
    model = prepared(AutoModelForCausalLM.from_pretrained(base))
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
    "whole blocks": {"target_modules": ["q_proj", "down_proj"], "modules_to_save": ["mlp"]},
    "whole blocks with biases": {"target_modules": ["down_proj"], "modules_to_save": ["self_attn"]},
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


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("whole", [None, ["embed_tokens"], ["embed_tokens", "lm_head"]])
def test_a_vocabulary_that_has_grown(base, tmp_path, whole):
    due = by_peft(base, tmp_path, grown, target_modules=["q_proj"], modules_to_save=whole)
    model, _ = checkpoint.load(base)
    with pytest.raises(CheckpointError, match="Resize its vocabulary first: model.resize_token_embeddings.1100."):
        adapters.load(model, tmp_path, LoRALinear)
    adapters.load(grown(model), tmp_path, LoRALinear)
    assert (logits(model) - due).abs().max() < 1e-4


@pytest.mark.filterwarnings("ignore")
def test_settings_that_are_absent_or_unknown_are_taken_as_peft_takes_them(base, tmp_path):
    by_peft(base, tmp_path, target_modules=["q_proj"])
    absent = {name: ... for name in ("lora_alpha", "lora_dropout", "rank_pattern", "alpha_pattern", "bias", "task_type")}
    change(tmp_path / CONFIG, **absent, use_rslora=None, modules_to_save=None, fan_in_fan_out=True, invented_later=True)
    due = logits(peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path))
    model, _ = checkpoint.load(base)
    adapters.load(model, tmp_path, LoRALinear)
    assert (logits(model) - due).abs().max() < 1e-4


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


def trained_beside(*ends):
    def put(model):
        injected(model)
        for name, parameter in model.named_parameters():
            if name.endswith(ends):
                parameter.requires_grad_(True).data.add_(0.1 * torch.randn_like(parameter))
        return model

    return put


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "put",
    [
        injected,
        mixed,
        lambda model: injected(model, ["lm_head"]),
        trained_beside("embed_tokens.weight", "lm_head.weight"),
        trained_beside("norm.weight", "layers.1.mlp.up_proj.weight", "k_proj.bias"),
    ],
)
def test_what_we_save_peft_loads_with_equal_logits(base, tmp_path, put):
    model, _ = checkpoint.load(base)
    due = logits(put(model))
    adapters.save(model, tmp_path, base=base)
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


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("whole", [["lm_head", "norm"], ["embed_tokens"], ["self_attn"]])
def test_whole_modules_that_an_adapter_brought_are_saved_again(base, tmp_path, whole):
    due = by_peft(base, tmp_path / "theirs", target_modules=["down_proj"], modules_to_save=whole)
    model, _ = checkpoint.load(base)
    adapters.load(model, tmp_path / "theirs", LoRALinear)
    adapters.save(copy.deepcopy(model), tmp_path / "ours", base=base)
    again = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "ours")
    assert (logits(again) - due).abs().max() < 1e-4


def test_the_tiny_model_takes_part(tiny, tmp_path):
    model, _ = checkpoint.load()
    due = logits(injected(model))
    adapters.save(model, tmp_path, base=checkpoint.TINY)
    theirs = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(checkpoint.TINY), tmp_path)
    assert (logits(theirs) - due).abs().max() < 1e-4


def test_a_round_trip_through_peft_keeps_every_number(base, tmp_path):
    by_peft(base, tmp_path / "theirs", target_modules=["q_proj", "v_proj"])
    model, _ = checkpoint.load(base)
    adapters.load(model, tmp_path / "theirs", LoRALinear)
    adapters.save(model, tmp_path / "ours", base=str(base))
    one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("theirs", "ours"))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.skipif(not find_spec("trl"), reason="TRL is not installed: pip install -r requirements-real.txt -c constraints.txt.")
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


def test_lora_in_lora_is_merged(base):
    model, _ = checkpoint.load(base)
    due = logits(twice(model))
    assert (logits(adapters.merged(model)) - due).abs().max() < 1e-3


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


@pytest.fixture(scope="module")
def adapter(tmp_path_factory) -> tuple[Path, Path]:
    """A model and an adapter for it."""
    model, folder = saved(model_of(), tmp_path_factory.mktemp("base")), tmp_path_factory.mktemp("adapter")
    by_peft(model, folder, target_modules=["q_proj"], modules_to_save=["norm"])
    return model, folder


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def setting(**values):
    return lambda folder: change(folder / CONFIG, **values)


def written(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def weights(action):
    """Rewrite the tensors with what `action` gives for a name and a tensor: another pair, or nothing."""

    def rewrite(folder):
        pairs = [action(name, tensor) for name, tensor in load_file(folder / WEIGHTS).items()]
        save_file(dict(filter(None, pairs)), folder / WEIGHTS)

    return rewrite


def tensors(part, action):
    return weights(lambda name, tensor: (name, action(tensor) if part in name else tensor))


def pickled(content):
    def rewrite(folder):
        (folder / WEIGHTS).unlink()
        torch.save(content, folder / "adapter_model.bin")

    return rewrite


DAMAGED = {
    "for another base": (
        weights(lambda name, tensor: (name.replace("layers.1", "layers.7"), tensor)),
        "layers.7.*, but the model has no such .*. It was made for the base",
    ),
    "half": (weights(lambda name, tensor: None if "lora_B" in name else (name, tensor)), "only lora_A is there"),
    "a whole module is lost": (
        weights(lambda name, tensor: None if "layers.0.input" in name else (name, tensor)),
        "modules_to_save means model.layers.0.input_layernorm, but the file of weights lacks",
    ),
    "NaN": (tensors("layers.1.self_attn.q_proj.lora_B", lambda t: t * torch.nan), "layers.1.*lora_B holds NaN or infinity"),
    "infinity": (tensors("lora_A", lambda t: t / 0), "lora_A holds NaN or infinity"),
    "NaN in a whole module": (tensors("model.norm", lambda t: t * torch.nan), "model.norm.weight holds NaN"),
    "int8": (tensors("lora_B", lambda t: t.to(torch.int8)), "lora_B is of type int8"),
    "float8": (tensors("lora_A", lambda t: t.to(torch.float8_e4m3fn)), "lora_A is of type float8_e4m3fn"),
    "another rank": (setting(r=5), "rank 5, but its lora_A has 4 rows"),
    "PEFT's own rank": (setting(r=...), "rank 8, but its lora_A has 4 rows"),
    "no kind": (setting(peft_type=...), "does not say which kind"),
    "an unknown start": (setting(init_lora_weights="of tomorrow"), "a start that changes the base weights"),
    "rank in words": (setting(r="4"), "r should be a whole number above 0, not '4'"),
    "alpha in words": (setting(lora_alpha="6"), "lora_alpha should be a number, not '6'"),
    "alpha null": (setting(lora_alpha=None), "lora_alpha should be a number, not None"),
    "alpha NaN": (setting(lora_alpha=float("nan")), "lora_alpha should be a number, not nan"),
    "alphas in words": (setting(alpha_pattern={"q_proj": "3"}), "alpha_pattern should be an object of names and numbers"),
    "ranks in a list": (setting(rank_pattern=["q_proj"]), "rank_pattern should be an object of names"),
    "no pattern": (setting(alpha_pattern={"q_proj(": 3}), "'q_proj.' should be a name or a regular expression"),
    "dropout of all": (setting(lora_dropout=1.0), "lora_dropout should be a number from 0 to below 1, not 1.0"),
    "dropout in words": (setting(lora_dropout="0.1"), "lora_dropout should be a number from 0 to below 1"),
    "rsLoRA in words": (setting(use_rslora="false"), "use_rslora should be true or false"),
    "modules as a number": (setting(modules_to_save=3), "modules_to_save should be a list of names, not 3"),
    "modules as one name": (setting(modules_to_save="lm_head"), "modules_to_save should be a list of names"),
    "no config": (lambda folder: (folder / CONFIG).unlink(), "holds no PEFT adapter: it has no adapter_config.json"),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "holds no weights"),
    "cut off": (written(WEIGHTS, b"x"), "damaged"),
    "a pointer": (written(WEIGHTS, POINTER.encode()), "only a pointer of Git LFS"),
    "a pointer as config": (written(CONFIG, POINTER.encode()), "only a pointer of Git LFS"),
    "a list": (written(CONFIG, b"[]"), "it should be an object with names and values, not list"),
    "no object": (written(CONFIG, b"{"), "cannot be read"),
    "a pickled list": (pickled([torch.zeros(1)]), "should hold nothing but tensors, each under its name"),
    "a pickle with numbers as names": (pickled({1: torch.zeros(1)}), "should hold nothing but tensors"),
    "a pickle without tensors": (pickled({"base_model.model.x.lora_A.weight": 1}), "should hold nothing but tensors"),
    "a pickle with code": (pickled({"base_model.model.x.lora_A.weight": print}), "damaged or no file of weights"),
}  # fmt: skip


def state(model):
    """What a failure must leave as it was."""
    modules = [(name, type(module)) for name, module in model.named_modules()]
    return modules, [(name, parameter.requires_grad, parameter.clone()) for name, parameter in model.named_parameters()]


def same(one, other) -> bool:
    equal = all(a[:2] == b[:2] and torch.equal(a[2], b[2]) for a, b in zip(one[1], other[1], strict=True))
    return one[0] == other[0] and equal


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_adapter_is_named_and_leaves_the_model(adapter, tmp_path, case):
    action, words = DAMAGED[case]
    base, folder = adapter
    folder = shutil.copytree(folder, tmp_path / "adapter")
    action(folder)
    model, _ = checkpoint.load(base)
    before = state(model)
    with pytest.raises(CheckpointError, match=words):
        adapters.load(model, folder, LoRALinear)
    assert same(before, state(model))


def test_numbers_that_the_model_cannot_hold_are_named(adapter, tmp_path):
    base, folder = adapter
    folder = shutil.copytree(folder, tmp_path / "adapter")
    tensors("lora_B", lambda t: t * 1e6)(folder)
    with pytest.raises(CheckpointError, match="lora_B holds numbers too large for float16"):
        adapters.load(checkpoint.load(base, dtype=torch.float16)[0], folder, LoRALinear)


def test_a_file_is_no_folder(adapter):
    base, folder = adapter
    with pytest.raises(CheckpointError, match="holds no PEFT adapter: it is a file"):
        adapters.load(checkpoint.load(base)[0], folder / WEIGHTS, LoRALinear)


class LoRAThatIsLinear(nn.Linear):
    """LoRA in a class that is an nn.Linear, as some learners write it."""

    def __init__(self, base, rank, alpha, dropout=0.0):
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.base = base.in_features, base.out_features, base.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.zeros(rank, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scaling = alpha / rank

    weight = property(lambda self: self.base.weight)

    def forward(self, x):
        return self.base(x) + self.scaling * (x @ self.lora_A.T @ self.lora_B.T)


@pytest.mark.parametrize("kind", [LoRALinear, LoRAThatIsLinear])
def test_a_second_adapter_in_the_same_layers_is_refused(adapter, kind):
    base, folder = adapter
    model, _ = checkpoint.load(base)
    adapters.load(model, folder, kind)
    before = state(model)
    with pytest.raises(CheckpointError, match="q_proj, and there the model holds LoRA already"):
        adapters.load(model, folder, kind)
    assert same(before, state(model))


def test_an_error_of_the_learners_class_goes_on_and_leaves_the_model(adapter):
    base, folder = adapter
    model, _ = checkpoint.load(base)
    before, made = state(model), []

    def lora(*settings):
        if made:
            raise ZeroDivisionError("mine")
        made.append(LoRALinear(*settings))
        return made[0]

    with pytest.raises(ZeroDivisionError, match="mine"):
        adapters.load(model, folder, lora)
    assert same(before, state(model))


def test_an_adapter_of_other_sizes_is_named(base, tmp_path):
    other = saved(model_of(hidden_size=32), tmp_path / "other")
    by_peft(other, tmp_path / "adapter", target_modules=["q_proj"])
    with pytest.raises(CheckpointError, match="q_proj maps 64 to 64, and has lora_A .4, 32."):
        adapters.load(checkpoint.load(base)[0], tmp_path / "adapter", LoRALinear)


def twice(model):
    injected(model, ["q_proj"])
    inner = model.get_submodule("model.layers.0.self_attn.q_proj")
    inner.base = LoRALinear(inner.base, 2, 3.0)
    return filled(model)


def diverged(model):
    injected(model)
    nn.init.constant_(model.get_submodule("model.layers.0.self_attn.q_proj").lora_B, torch.nan)


def turned(model):
    injected(model)
    layer = model.get_submodule("model.layers.0.self_attn.q_proj")
    layer.lora_A = nn.Parameter(layer.lora_A.T.contiguous())


UNSAVED = {
    "a trained base": (trained_beside("q_proj.base.bias"), "q_proj.base has parameters that are trained as they are"),
    "NaN": (diverged, "q_proj.lora_B.weight holds NaN or infinity"),
    "LoRA in LoRA": (twice, "q_proj.base is a LoRA layer in another one"),
    "other shapes": (turned, "should have the shapes .rank, 64. and .64, rank., not .64, 4."),
}  # fmt: skip


@pytest.mark.parametrize("case", UNSAVED)
def test_what_peft_has_no_place_for_is_not_saved(adapter, tmp_path, case):
    action, words = UNSAVED[case]
    model, _ = checkpoint.load(adapter[0])
    action(model)
    with pytest.raises(CheckpointError, match=words):
        adapters.save(model, tmp_path / "new", base="x")
    assert not (tmp_path / "new").exists()


def test_peft_compares_the_ends_of_names(tmp_path):
    model = nn.ModuleDict({"out": nn.Linear(4, 4), "layers": nn.ModuleDict({"out": LoRALinear(nn.Linear(4, 4), 2, 3.0)})})
    with pytest.raises(CheckpointError, match="layers.out has .* trained as they are, beside the LoRA of layers.out"):
        adapters.save(model, tmp_path, base="x")  # PEFT would train both as "out", and put no LoRA there


def test_an_adapter_is_saved_into_a_folder_of_its_own(adapter, tmp_path):
    model = injected(checkpoint.load(adapter[0])[0])
    (tmp_path / "file").write_text("")
    cases = {tmp_path / "file": "is a file", adapter[0]: "holds a model", tmp_path / "file/new": "Not a directory"}
    for folder, words in cases.items():
        with pytest.raises(CheckpointError, match=words):
            adapters.save(model, folder, base="x")
    with pytest.raises(CheckpointError, match="base should be the hub name or the folder of .*, not None"):
        adapters.save(model, tmp_path / "new", base=None)


def test_without_lora_there_is_nothing_to_save(tiny, tmp_path):
    with pytest.raises(CheckpointError, match="holds no LoRA"):
        adapters.save(tiny[0], tmp_path / "new", base="tiny")
    assert not (tmp_path / "new").exists()
