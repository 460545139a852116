# RIGHT peft: generators everywhere, the walk takes replacements by send(), problems of a state dict are yielded one by one
import torch
import torch.nn as nn
import torch.nn.functional as F


class ParameterCount:
    __slots__ = ("trainable", "total")

    def __init__(self, parameters):
        self.trainable = self.total = 0
        for p in parameters:
            self.total += p.numel()
            if p.requires_grad:
                self.trainable += p.numel()

    def __repr__(self):
        return f"ParameterCount(trainable={self.trainable}, total={self.total})"


def once(items):
    seen = set()
    for item in items:
        if id(item) not in seen:
            seen.add(id(item))
            yield item


def freeze(model):
    for p in model.parameters():
        p.requires_grad = False
    return model


def count_parameters(model):
    return ParameterCount(once(model.parameters()))


def bitfit_names(model, also):
    for name, _ in model.named_parameters():
        if name.split(".")[-1] == "bias" or any(part in name for part in also):
            yield name


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError(f"expected `also` to be a list of strings, found the string {also!r}")
    if not any(True for _ in bitfit_names(model, ())):
        raise ValueError(f"expected `model` to have biases, found {[n for n, _ in model.named_parameters()]}")
    names = list(bitfit_names(freeze(model), tuple(also)))
    for name in names:
        model.get_parameter(name).requires_grad = True
    return names


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        if bottleneck < 1:
            raise ValueError(f"expected `bottleneck` of 1 or more, found {bottleneck}")
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        for p in self.up.parameters():
            p.data = torch.zeros_like(p)

    def steps(self):
        yield self.down
        yield F.gelu
        yield self.up

    def forward(self, x):
        h = x
        for step in self.steps():
            h = step(h)
        return x + h


class Pair(nn.Module):
    def __init__(self, layer, adapter):
        super().__init__()
        self.layer, self.adapter = layer, adapter

    def forward(self, x):
        return self.adapter(self.layer(x))


def walk(module, prefix=""):
    """Yields (name, key, child); a replacement that is sent back is put in the place of child."""
    if isinstance(module, Adapter):
        return
    for key in list(module._modules):
        child = module._modules[key]
        if child is None:
            continue
        name = prefix + key
        if isinstance(module, Pair):
            yield from walk(child, prefix)
            continue
        new = yield name, key, child
        if new is not None:
            module._modules[key] = new
        yield from walk(child, name + ".")


def drive(generator, function):
    answer = None
    while True:
        try:
            item = generator.send(answer)
        except StopIteration:
            return
        answer = function(*item)


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"expected `target_modules` to be a list of strings, found the string {target_modules!r}")
    if bottleneck < 1:
        raise ValueError(f"expected `bottleneck` of 1 or more, found {bottleneck}")
    there = [(name, key) for name, key, _ in walk(model)]
    if not any(key in target_modules for _, key in there):
        raise ValueError(f"expected `target_modules` to name some of {[n for n, _ in there]}, found {list(target_modules)}")
    freeze(model)
    pairs, names = {}, []

    def follow(name, key, child):
        if key not in target_modules or isinstance(child, Pair):
            return None
        if child not in pairs:
            adapter = Adapter(child.out_features, bottleneck)
            for p in child.parameters():
                adapter = adapter.to(device=p.device, dtype=p.dtype)
                break
            pairs[child] = Pair(child, adapter).train(child.training)
        names.append(name)
        return pairs[child]

    drive(walk(model), follow)
    for module in model.modules():
        if isinstance(module, Adapter):
            for p in module.parameters():
                p.requires_grad = True
    return names


def cycle_of_tokens(vocabulary, count):
    while count > 0:
        take = min(vocabulary, count)
        yield torch.arange(take)
        count -= take


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        if num_virtual_tokens < 1:
            raise ValueError(f"expected `num_virtual_tokens` of 1 or more, found {num_virtual_tokens}")
        self.model = freeze(model)
        embed = model.get_input_embeddings()
        ids = torch.cat(list(cycle_of_tokens(embed.weight.shape[0], num_virtual_tokens)))
        self.prompt = nn.Parameter(embed(ids.to(embed.weight.device)).detach().clone())

    def forward(self, input_ids, attention_mask):
        n = self.prompt.shape[0]
        real = self.model.get_input_embeddings()(input_ids)
        rows = torch.stack([torch.cat([self.prompt, row]) for row in real])
        mask = torch.stack([torch.cat([row.new_ones(n), row]) for row in attention_mask])
        return self.model(inputs_embeds=rows, attention_mask=mask)[:, n:]


class IA3Linear(nn.Module):
    def __init__(self, base):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"expected `base` to be an nn.Linear, found {type(base).__name__}")
        self.base = freeze(base)
        self.ia3 = nn.Parameter(base.weight.new_ones(base.out_features))

    def forward(self, x):
        return self.base(x) * self.ia3

    def scaled(self):
        yield "weight", self.base.weight.detach() * self.ia3.detach().unsqueeze(1)
        if self.base.bias is not None:
            yield "bias", self.base.bias.detach() * self.ia3.detach()

    def merge(self):
        tensors = dict(self.scaled())
        weight = tensors["weight"]
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in tensors, device=weight.device, dtype=weight.dtype)
        linear.load_state_dict(tensors)
        return linear


def trainable(model):
    for name, p in model.named_parameters():
        if p.requires_grad:
            yield name, p


def adapter_state_dict(model):
    return {name: p.detach().clone() for name, p in trainable(model)}


def problems(own, state):
    for name, p in own.items():
        if name not in state:
            yield f"{name} is missing"
        elif state[name].shape != p.shape:
            yield f"{name} is {tuple(state[name].shape)}, not {tuple(p.shape)}"
    for name in state:
        if name not in own:
            yield f"{name} is unexpected"


def load_adapter(model, state):
    own = dict(trainable(model))
    first = next(problems(own, state), None)
    if first is not None:
        raise ValueError(f"expected `state` to hold exactly {list(own)}, but found that {first}")
    with torch.no_grad():
        for name, p in own.items():
            p.copy_(state[name])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError(f"expected `trainable` up to `total` = {total}, found {trainable}")

    def parts():
        yield "weights", total * weight_bytes
        yield "gradients", trainable * grad_bytes
        yield "optimizer", trainable * optimizer_bytes

    memory = dict(parts())
    memory["total"] = sum(size for _, size in parts())
    return memory
