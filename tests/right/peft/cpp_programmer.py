# RIGHT peft: by a C++ programmer, structs, a GoF decorator around the layer, explicit stack iteration, THROW_IF
import torch
import torch.nn as nn
import torch.nn.functional as F


def THROW_IF(condition, exception, *parts):
    if condition:
        raise exception("".join(str(p) for p in parts))


class ParameterCount:
    """struct"""

    def __init__(self, trainable=0, total=0):
        self.trainable = trainable
        self.total = total

    def __eq__(self, other):
        return (self.trainable, self.total) == (other.trainable, other.total)

    def __repr__(self):
        return "ParameterCount{" + str(self.trainable) + ", " + str(self.total) + "}"


def freeze(model):
    for p in model.parameters():
        p.requires_grad_(False)
    return model


def count_parameters(model):
    result = ParameterCount()
    visited = set()
    for m in model.modules():
        for p in m._parameters.values():
            if p is None or id(p) in visited:
                continue
            visited.add(id(p))
            n = 1
            for d in p.shape:
                n *= d
            result.total += n
            if p.requires_grad:
                result.trainable += n
    return result


def _ends_with_part(name, part):
    pos = name.rfind(".")
    return name[pos + 1:] == part


def apply_bitfit(model, also=()):
    THROW_IF(isinstance(also, str), TypeError, "apply_bitfit::also: got the string \"", also, "\", expected a list of strings")
    items = list(model.named_parameters())
    n_bias = 0
    for name, p in items:
        if _ends_with_part(name, "bias"):
            n_bias += 1
    THROW_IF(n_bias == 0, ValueError, "apply_bitfit::model: got a model without biases, expected at least one bias")
    out = []
    for name, p in items:
        train = _ends_with_part(name, "bias")
        for s in also:
            if name.find(s) != -1:
                train = True
                break
        p.requires_grad_(train)
        if train:
            out.append(name)
    return out


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        THROW_IF(bottleneck < 1, ValueError, "Adapter::bottleneck: got ", bottleneck, ", expected >= 1")
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        with torch.no_grad():
            self.up.weight.fill_(0.0)
            self.up.bias.fill_(0.0)

    def forward(self, x):
        h = self.down(x)
        h = F.gelu(h)
        h = self.up(h)
        return x + h


class Decorator(nn.Module):
    """GoF decorator: component, then adapter."""

    def __init__(self, component, bottleneck):
        super().__init__()
        self.m_component = component
        self.m_adapter = Adapter(component.out_features, bottleneck)
        it = iter(component.parameters())
        p = next(it, None)
        if p is not None:
            self.m_adapter.to(p.device, p.dtype)
        self.train(component.training)

    @property
    def out_features(self):
        return self.m_component.out_features

    def forward(self, x):
        return self.m_adapter(self.m_component(x))


class Slot:
    __slots__ = ("m_parent", "m_key", "m_path")

    def __init__(self, parent, key, path):
        self.m_parent, self.m_key, self.m_path = parent, key, path

    def get(self):
        return self.m_parent._modules[self.m_key]

    def set(self, value):
        self.m_parent._modules[self.m_key] = value


class SlotRange:
    """for (auto& slot : SlotRange(model)) in pre-order; adapters are skipped, decorators are transparent."""

    def __init__(self, root):
        self.m_root = root

    def __iter__(self):
        stack = []
        self._push(stack, self.m_root, "")
        while len(stack) > 0:
            slot = stack.pop()
            module = slot.get()
            yield slot
            if isinstance(module, Decorator):
                module = module.m_component
            self._push(stack, module, slot.m_path + ".")

    @staticmethod
    def _push(stack, module, prefix):
        if isinstance(module, Adapter):
            return
        for key in reversed(list(module._modules.keys())):
            if module._modules[key] is not None:
                stack.append(Slot(module, key, prefix + key))


def add_adapters(model, target_modules, bottleneck):
    THROW_IF(isinstance(target_modules, str), TypeError, "add_adapters::target_modules: got the string \"", target_modules,
             "\", expected a list of strings")
    THROW_IF(bottleneck < 1, ValueError, "add_adapters::bottleneck: got ", bottleneck, ", expected >= 1")
    all_slots = list(SlotRange(model))
    matches = [s for s in all_slots if s.m_key in target_modules]
    THROW_IF(len(matches) == 0, ValueError, "add_adapters::target_modules: got ", list(target_modules),
             ", expected names out of ", [s.m_path for s in all_slots])
    freeze(model)
    table = dict()
    out = []
    for s in matches:
        module = s.get()
        if isinstance(module, Decorator):
            continue
        if module not in table:
            table[module] = Decorator(module, bottleneck)
        s.set(table[module])
        out.append(s.m_path)
    for m in model.modules():
        if isinstance(m, Adapter):
            for p in m.parameters():
                p.requires_grad_(True)
    return out


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        THROW_IF(num_virtual_tokens < 1, ValueError, "PromptTuning::num_virtual_tokens: got ", num_virtual_tokens, ", expected >= 1")
        self.m_n = num_virtual_tokens
        self.m_model = freeze(model)
        w = model.get_input_embeddings().weight
        self.m_prompt = nn.Parameter(torch.empty(num_virtual_tokens, w.shape[1], dtype=w.dtype, device=w.device))
        with torch.no_grad():
            for i in range(num_virtual_tokens):
                self.m_prompt[i].copy_(w[i % w.shape[0]])

    def forward(self, input_ids, attention_mask):
        B, T = input_ids.shape
        tokens = self.m_model.get_input_embeddings()(input_ids)
        prompt = self.m_prompt.unsqueeze(0).expand(B, self.m_n, tokens.shape[2])
        ones = torch.ones([B, self.m_n], dtype=attention_mask.dtype, device=attention_mask.device)
        logits = self.m_model(inputs_embeds=torch.cat([prompt, tokens], 1),
                              attention_mask=torch.cat([ones, attention_mask], 1))
        return logits.narrow(1, self.m_n, T)


class IA3Linear(nn.Module):
    def __init__(self, base):
        super().__init__()
        THROW_IF(not isinstance(base, nn.Linear), TypeError, "IA3Linear::base: got ", type(base), ", expected nn.Linear")
        self.m_base = freeze(base)
        self.ia3 = nn.Parameter(torch.ones([base.out_features], dtype=base.weight.dtype, device=base.weight.device))

    def forward(self, x):
        return self.m_base(x).mul(self.ia3)

    def merge(self):
        src = self.m_base
        dst = nn.Linear(src.in_features, src.out_features, src.bias is not None, device=src.weight.device, dtype=src.weight.dtype)
        with torch.no_grad():
            for i in range(src.out_features):
                torch.mul(src.weight[i], self.ia3[i], out=dst.weight[i])
            if src.bias is not None:
                torch.mul(src.bias, self.ia3, out=dst.bias)
        return dst


def _trainable(model):
    out = dict()
    for name, p in model.named_parameters():
        if p.requires_grad:
            out[name] = p
    return out


def adapter_state_dict(model):
    out = dict()
    for name, p in _trainable(model).items():
        out[name] = p.detach()
    return out


def load_adapter(model, state):
    own = _trainable(model)
    # pass 1: validate
    for name in own:
        THROW_IF(name not in state, ValueError, "load_adapter::state: ", name, " is missing, expected ", list(own))
    for name in state:
        THROW_IF(name not in own, ValueError, "load_adapter::state: got ", name, ", expected only ", list(own))
        THROW_IF(own[name].shape != state[name].shape, ValueError, "load_adapter::state: got ", name, " of shape ",
                 list(state[name].shape), ", expected ", list(own[name].shape))
    # pass 2: commit
    with torch.no_grad():
        for name in own:
            own[name].copy_(state[name])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    THROW_IF(trainable > total, ValueError, "training_memory::trainable: got ", trainable, ", expected <= total = ", total)
    weights = total * weight_bytes
    gradients = trainable * grad_bytes
    optimizer = trainable * optimizer_bytes
    return {"weights": weights, "gradients": gradients, "optimizer": optimizer, "total": weights + gradients + optimizer}
