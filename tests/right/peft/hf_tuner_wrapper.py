# RIGHT peft: HF-PEFT-like classes (BaseTunerLayer, config dataclasses, a BottleneckTuner that replaces modules by wrapper layers)
from __future__ import annotations

import re
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any, Optional

import torch
import torch.nn as nn

ParameterCount = namedtuple("ParameterCount", ["trainable", "total"])


@dataclass
class BottleneckConfig:
    bottleneck: int = field(default=64)
    target_modules: Optional[list[str]] = field(default=None)


def freeze(model: nn.Module) -> nn.Module:
    for param in model.parameters():
        param.requires_grad = False
    return model


def count_parameters(model: nn.Module) -> ParameterCount:
    trainable_params = 0
    all_param = 0
    for _, param in model.named_parameters():
        num_params = param.numel()
        all_param += num_params
        if param.requires_grad:
            trainable_params += num_params
    return ParameterCount(trainable_params, all_param)


def apply_bitfit(model: nn.Module, also=()) -> list[str]:
    if isinstance(also, str):
        raise TypeError(f"`also` should be a list of strings, got the string {also!r}")
    regex = re.compile(r"(?:^|\.)bias$")
    names = [n for n, _ in model.named_parameters()]
    if not any(regex.search(n) for n in names):
        raise ValueError(f"`model` should have parameters called `bias`, but it has only: {names}")
    freeze(model)
    modules_to_save = list(also)
    trainable = []
    for name, param in model.named_parameters():
        if regex.search(name) or any(key in name for key in modules_to_save):
            param.requires_grad = True
            trainable.append(name)
    return trainable


class Adapter(nn.Module):
    def __init__(self, hidden_size: int, bottleneck: int):
        super().__init__()
        if bottleneck < 1:
            raise ValueError(f"`bottleneck` should be a positive integer, but the value passed is {bottleneck}")
        self.down = nn.Linear(hidden_size, bottleneck)
        self.act = nn.GELU()
        self.up = nn.Linear(bottleneck, hidden_size)
        self.reset_adapter_parameters()

    def reset_adapter_parameters(self):
        nn.init.normal_(self.down.weight, std=0.02)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.up(self.act(self.down(x)))


class BaseTunerLayer:
    def get_base_layer(self) -> nn.Module:
        base_layer = self
        while hasattr(base_layer, "base_layer"):
            base_layer = base_layer.base_layer
        return base_layer


class AdapterLayer(nn.Module, BaseTunerLayer):
    def __init__(self, base_layer: nn.Module, bottleneck: int):
        super().__init__()
        self.base_layer = base_layer
        self.adapter = Adapter(base_layer.out_features, bottleneck)
        reference = next(base_layer.parameters(), None)
        if reference is not None:
            self.adapter.to(device=reference.device, dtype=reference.dtype)
        self.train(base_layer.training)

    @property
    def out_features(self):
        return self.get_base_layer().out_features

    def forward(self, *args: Any, **kwargs: Any):
        return self.adapter(self.base_layer(*args, **kwargs))


class BottleneckTuner:
    def __init__(self, model: nn.Module, config: BottleneckConfig):
        self.model, self.config = model, config

    def _slots(self):
        """(parent, attribute, name, child); never inside of adapters, and a layer's base is not a slot."""
        def visit(parent, prefix, name_of_parent):
            for key, child in parent._modules.items():
                if child is None or isinstance(child, Adapter):
                    continue
                if isinstance(parent, AdapterLayer):
                    # the base keeps the name of the layer
                    yield from visit(child, prefix, name_of_parent)
                    continue
                name = prefix + key
                yield parent, key, name, child
                yield from visit(child, name + ".", name)
        yield from visit(self.model, "", "")

    def inject(self) -> list[str]:
        slots = list(self._slots())
        hits = [s for s in slots if s[1] in self.config.target_modules]
        if not hits:
            raise ValueError(
                f"Target modules {self.config.target_modules} (`target_modules`) not found in the base model. "
                f"The modules are: {[s[2] for s in slots]}"
            )
        for _, _, name, child in hits:
            if not isinstance(child, AdapterLayer) and not hasattr(child, "out_features"):
                raise ValueError(f"`target_modules` names {name}, a {type(child).__name__} without `out_features`")
        freeze(self.model)
        cache: dict[nn.Module, AdapterLayer] = {}
        adapted = []
        for parent, key, name, child in hits:
            if isinstance(child, AdapterLayer) or isinstance(parent._modules[key], AdapterLayer):
                continue
            if child not in cache:
                cache[child] = AdapterLayer(child, self.config.bottleneck)
            setattr(parent, key, cache[child])
            adapted.append(name)
        for module in self.model.modules():
            if isinstance(module, Adapter):
                module.requires_grad_(True)
        return adapted


def add_adapters(model: nn.Module, target_modules, bottleneck: int) -> list[str]:
    if isinstance(target_modules, str):
        raise TypeError(f"`target_modules` should be a list of strings, got the string {target_modules!r}")
    if bottleneck < 1:
        raise ValueError(f"`bottleneck` should be a positive integer, but the value passed is {bottleneck}")
    return BottleneckTuner(model, BottleneckConfig(bottleneck, list(target_modules))).inject()


class PromptEmbedding(nn.Module):
    def __init__(self, num_virtual_tokens: int, word_embeddings: nn.Module):
        super().__init__()
        vocab_size = word_embeddings.weight.shape[0]
        init_token_ids = list(range(vocab_size))
        num_text_tokens = len(init_token_ids)
        if num_text_tokens > num_virtual_tokens:
            init_token_ids = init_token_ids[:num_virtual_tokens]
        elif num_text_tokens < num_virtual_tokens:
            num_reps = -(-num_virtual_tokens // num_text_tokens)
            init_token_ids = (init_token_ids * num_reps)[:num_virtual_tokens]
        ids = torch.tensor(init_token_ids, dtype=torch.long, device=word_embeddings.weight.device)
        with torch.no_grad():
            weight = word_embeddings(ids).detach().clone()
        self.embedding = nn.Embedding(num_virtual_tokens, weight.shape[1], _weight=weight)

    def forward(self, indices):
        return self.embedding(indices)


class PromptTuning(nn.Module):
    def __init__(self, model: nn.Module, num_virtual_tokens: int):
        super().__init__()
        if num_virtual_tokens < 1:
            raise ValueError(f"`num_virtual_tokens` should be at least 1, but the value passed is {num_virtual_tokens}")
        self.base_model = freeze(model)
        self.num_virtual_tokens = num_virtual_tokens
        self.prompt_encoder = PromptEmbedding(num_virtual_tokens, model.get_input_embeddings())

    def get_prompt(self, batch_size: int):
        device = self.prompt_encoder.embedding.weight.device
        prompt_tokens = torch.arange(self.num_virtual_tokens, device=device).unsqueeze(0).expand(batch_size, -1)
        return self.prompt_encoder(prompt_tokens)

    def forward(self, input_ids, attention_mask=None):
        batch_size = input_ids.shape[0]
        if attention_mask is not None:
            prefix_attention_mask = torch.ones(
                batch_size, self.num_virtual_tokens, device=attention_mask.device, dtype=attention_mask.dtype
            )
            attention_mask = torch.cat((prefix_attention_mask, attention_mask), dim=1)
        inputs_embeds = self.base_model.get_input_embeddings()(input_ids)
        prompts = self.get_prompt(batch_size).to(inputs_embeds.dtype)
        inputs_embeds = torch.cat((prompts, inputs_embeds), dim=1)
        outputs = self.base_model(inputs_embeds=inputs_embeds, attention_mask=attention_mask)
        logits = outputs.logits if hasattr(outputs, "logits") else outputs
        return logits[:, self.num_virtual_tokens:]


class IA3Linear(nn.Module, BaseTunerLayer):
    def __init__(self, base: nn.Linear):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"Target module `base` is a {type(base).__name__}, only `torch.nn.Linear` is supported.")
        self.base_layer = freeze(base)
        self.ia3 = nn.Parameter(torch.ones(base.out_features, dtype=base.weight.dtype, device=base.weight.device))

    def forward(self, x):
        return self.base_layer(x) * self.ia3

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        base = self.base_layer
        merged = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None,
                           device=base.weight.device, dtype=base.weight.dtype)
        merged.weight.copy_(base.weight * self.ia3.unsqueeze(1))
        if base.bias is not None:
            merged.bias.copy_(base.bias * self.ia3)
        return merged


def adapter_state_dict(model: nn.Module) -> dict[str, torch.Tensor]:
    trainable = {n for n, p in model.named_parameters() if p.requires_grad}
    return {k: v for k, v in model.state_dict().items() if k in trainable}


def load_adapter(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    own = {n: p for n, p in model.named_parameters() if p.requires_grad}
    errors = [f"Missing key: {k}" for k in own if k not in state]
    errors += [f"Unexpected key: {k}" for k in state if k not in own]
    errors += [
        f"size mismatch for {k}: `state` has {tuple(v.shape)}, the model allows {tuple(own[k].shape)}"
        for k, v in state.items() if k in own and own[k].shape != v.shape
    ]
    if errors:
        raise ValueError("Error(s) in loading `state`:\n\t" + "\n\t".join(errors))
    with torch.no_grad():
        for k, v in state.items():
            own[k].copy_(v)


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError(f"`trainable` should be at most `total` ({total}), but the value passed is {trainable}")
    memory = {
        "weights": total * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    memory["total"] = sum(memory.values())
    return memory
