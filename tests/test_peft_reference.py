"""The reference of the PEFT methods against Hugging Face PEFT."""

import copy

import peft
import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from grader.problems import ROOT
from solutions.peft import (
    Adapter,
    IA3Linear,
    PromptTuning,
    adapter_state_dict,
    add_adapters,
    apply_bitfit,
    count_parameters,
    freeze,
    load_adapter,
    training_memory,
)

IDS = torch.tensor([[5, 300, 400, 17], [9, 8, 7, 500]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


def test_ia3_equals_that_of_peft(tiny):
    targets = ["k_proj", "v_proj", "up_proj"]
    config = peft.IA3Config(target_modules=targets, feedforward_modules=[])
    theirs = peft.inject_adapter_in_model(config, copy.deepcopy(tiny[0])).eval()
    ours = freeze(copy.deepcopy(tiny[0])).eval()
    generator = torch.Generator().manual_seed(0)
    for name, module in list(ours.named_modules()):
        parent, _, last = name.rpartition(".")
        if last in targets:
            scaled = IA3Linear(module)
            setattr(ours.get_submodule(parent), last, scaled)
            with torch.no_grad():
                scaled.ia3.copy_(torch.rand(scaled.ia3.shape, generator=generator) + 0.5)
                theirs.get_parameter(f"{name}.ia3_l.default").copy_(scaled.ia3[:, None])
    assert torch.allclose(ours(IDS), theirs(IDS), atol=1e-4)
    assert count_parameters(ours).trainable == sum(p.numel() for p in theirs.parameters() if p.requires_grad)


def test_prompt_tuning_equals_that_of_peft(tiny):
    model = AutoModelForCausalLM.from_pretrained(ROOT / "lab" / "tiny")
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    theirs = peft.get_peft_model(model, config).eval()
    ours = PromptTuning(copy.deepcopy(tiny[0]), 3).eval()
    with torch.no_grad():
        theirs.prompt_encoder["default"].embedding.weight.copy_(ours.prompt)
        right = theirs(input_ids=IDS, attention_mask=MASK).logits[:, 3:]
        assert torch.allclose(ours(IDS, MASK)[MASK.bool()], right[MASK.bool()], atol=1e-4)


def test_bitfit_on_the_tiny_model_trains_q_k_and_v(tiny):
    model = copy.deepcopy(tiny[0])
    names = apply_bitfit(model)
    assert len(names) == 12 and all(name.split(".")[-2] in ("q_proj", "k_proj", "v_proj") for name in names)


def test_strings_of_also_are_no_patterns():
    model = nn.ModuleDict({name: nn.Linear(2, 2) for name in ("c", "c++", "C++", "layers_1")})
    model["layers"] = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
    names = apply_bitfit(model, also=["c++", "layers.1"])
    assert [name for name in names if name.endswith("weight")] == ["c++.weight", "layers.1.weight"]


def test_the_counts_are_those_of_peft(tiny):
    model = AutoModelForCausalLM.from_pretrained(ROOT / "lab" / "tiny")
    theirs = peft.get_peft_model(model, peft.LoraConfig(r=3, target_modules=["q_proj"]))
    assert tuple(count_parameters(theirs)) == theirs.get_nb_trainable_parameters()


def test_an_adapter_goes_to_another_model_and_trains_on_there(tiny):
    one, other = copy.deepcopy(tiny[0]), copy.deepcopy(tiny[0])
    for model in (one, other):
        add_adapters(model, ["o_proj"], 4)
    for parameter in adapter_state_dict(one).values():
        nn.init.normal_(parameter)
    optimizer = torch.optim.SGD([p for p in other.parameters() if p.requires_grad], lr=0.1)
    state = {name: tensor.double() for name, tensor in adapter_state_dict(one).items()}
    load_adapter(other, state)
    assert torch.equal(one(IDS), other(IDS)) and not torch.allclose(other(IDS), tiny[0](IDS))
    other(IDS).square().mean().backward()
    optimizer.step()
    assert not torch.equal(one(IDS), other(IDS))


def test_adapters_survive_a_copy_and_stay_apart(tiny):
    model = copy.deepcopy(tiny[0])
    add_adapters(model, ["o_proj"], 4)
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if isinstance(module, Adapter):
            nn.init.ones_(module.up.bias)
    assert torch.equal(model(IDS), tiny[0](IDS)) and not torch.allclose(twin(IDS), model(IDS))


def test_a_second_call_adds_no_second_adapter(tiny):
    model = copy.deepcopy(tiny[0])
    add_adapters(model, ["o_proj"], 4)
    before = count_parameters(model)
    assert add_adapters(model, ["o_proj"], 4) == [] and count_parameters(model) == before
    added = add_adapters(model, ["down_proj"], 4)
    assert len(added) == 4 and count_parameters(model).trainable == 2 * before.trainable


def test_what_is_added_follows_the_dtype_of_the_model(tiny):
    model = copy.deepcopy(tiny[0]).bfloat16()
    layer = IA3Linear(model.get_submodule(add_adapters(model, ["o_proj"], 4)[0]))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert layer.ia3.dtype == layer.merge().weight.dtype == PromptTuning(model, 2).prompt.dtype == torch.bfloat16


def test_a_prompt_may_be_longer_than_the_vocabulary(tiny):
    model = copy.deepcopy(tiny[0])
    size = model.get_input_embeddings().num_embeddings
    assert len(PromptTuning(model, size + 1).prompt) == size + 1


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda model: apply_bitfit(model, also="lm_head"), TypeError, "also must be a list"),
        (lambda model: add_adapters(model, "o_proj", 4), TypeError, "target_modules must be a list"),
        (lambda model: PromptTuning(model, 0), ValueError, "num_virtual_tokens must be at least 1, got 0"),
        (lambda model: Adapter(8, 0), ValueError, "bottleneck must be at least 1, got 0"),
        (lambda model: add_adapters(model, ["o_proj"], -2), ValueError, "bottleneck must be at least 1, got -2"),
        (lambda model: IA3Linear(nn.Embedding(3, 3)), TypeError, "base must be an nn.Linear, got Embedding"),
        (lambda model: IA3Linear(nn.Bilinear(3, 3, 3)), TypeError, "base must be an nn.Linear, got Bilinear"),
        (lambda model: training_memory(10, 11), ValueError, "trainable must lie between 0 and total=10, got 11"),
        (lambda model: training_memory(10, -1), ValueError, "trainable must lie between 0 and total=10, got -1"),
        (lambda model: load_adapter(freeze(model), {"a.b": torch.ones(1)}), ValueError, "unexpected a.b"),
    ],
)
def test_bad_arguments_are_named(tiny, call, error, words):
    with pytest.raises(error, match=words):
        call(copy.deepcopy(tiny[0]))
