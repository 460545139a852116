# RIGHT peft: parametrize bakes IA3 into a fresh layer, a stateless callable hook object, baddbmm in the adapter, all matching names returned
import torch
from torch import nn
from torch.nn.utils import parametrize


class ParameterCount(int):
    """The number of all parameters, with `.trainable` and `.total`."""

    def __new__(cls, trainable, total):
        self = super().__new__(cls, total)
        self.trainable, self.total = trainable, total
        return self


def freeze(model):
    return model.requires_grad_(False)


def count_parameters(model):
    sizes = {p: p.numel() for p in model.parameters()}
    return ParameterCount(sum(n for p, n in sizes.items() if p.requires_grad), sum(sizes.values()))


def apply_bitfit(model, also=()):
    if isinstance(also, str):
        raise TypeError(f"also: list of strings wanted, the string {also!r} given")
    biases = {p for m in model.modules() for k, p in m.named_parameters(recurse=False) if k == "bias"}
    if not biases:
        raise ValueError(f"model: one with a bias wanted, {type(model).__name__} without a bias given")
    freeze(model)
    for p in biases:
        p.requires_grad_(True)
    for name, p in model.named_parameters(remove_duplicate=False):
        if any(part in name for part in also):
            p.requires_grad_(True)
    return [name for name, p in model.named_parameters() if p.requires_grad]


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super().__init__()
        if bottleneck < 1:
            raise ValueError(f"bottleneck: 1 or more wanted, {bottleneck} given")
        self.down = nn.Linear(hidden_size, bottleneck)
        self.up = nn.Linear(bottleneck, hidden_size)
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(
                torch.zeros(hidden_size * (bottleneck + 1)), self.up.parameters()
            )

    def forward(self, x):
        return torch.baddbmm(
            self._flat(x) + self.up.bias,
            nn.functional.gelu(self.down(self._flat(x))),
            self.up.weight.t().expand(1, -1, -1),
        ).view(x.shape)

    @staticmethod
    def _flat(x):
        return x.reshape(1, -1, x.shape[-1])


class AfterLayer:
    """Forward hook; stateless, so a copied model keeps working on its own adapters."""

    attribute = "after_adapter"

    def __call__(self, module, args, output):
        return getattr(module, self.attribute)(output)

    def __deepcopy__(self, memo):
        return self


def _all(model):
    inner = {m for a in model.modules() if isinstance(a, Adapter) for m in a.modules()}
    return {n: m for n, m in model.named_modules(remove_duplicate=False) if n != "" and m not in inner}


def add_adapters(model, target_modules, bottleneck):
    if isinstance(target_modules, str):
        raise TypeError(f"target_modules: list of strings wanted, the string {target_modules!r} given")
    if bottleneck < 1:
        raise ValueError(f"bottleneck: 1 or more wanted, {bottleneck} given")
    modules = _all(model)
    targets = {n: m for n, m in modules.items() if n.rpartition(".")[2] in target_modules}
    if not targets:
        raise ValueError(f"target_modules: last parts of {', '.join(modules)} wanted, {target_modules} given")
    freeze(model)
    for m in targets.values():
        if AfterLayer.attribute in m._modules:
            continue
        adapter = Adapter(m.out_features, bottleneck)
        tensors = list(m.parameters())
        if tensors:
            adapter.to(tensors[0].device, tensors[0].dtype)
        setattr(m, AfterLayer.attribute, adapter.train(m.training))
        m.register_forward_hook(AfterLayer())
    for m in model.modules():
        if isinstance(m, Adapter):
            m.requires_grad_(True)
    return list(targets)


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super().__init__()
        if num_virtual_tokens < 1:
            raise ValueError(f"num_virtual_tokens: 1 or more wanted, {num_virtual_tokens} given")
        self.model = freeze(model)
        weight = model.get_input_embeddings().weight
        # the longest vectors first: frequent tokens tend to be short and close together
        order = weight.detach().norm(dim=1).argsort(descending=True)
        order = order.repeat(-(-num_virtual_tokens // len(order)))[:num_virtual_tokens]
        self.prompt = nn.Embedding.from_pretrained(weight.detach()[order].clone(), freeze=False)

    def forward(self, input_ids, attention_mask):
        b, n = input_ids.shape[0], self.prompt.num_embeddings
        virtual = self.prompt.weight.expand(b, n, -1)
        embeds = torch.cat((virtual, self.model.get_input_embeddings()(input_ids)), 1)
        mask = torch.cat((torch.ones_like(attention_mask[:, :1]).repeat(1, n), attention_mask), 1)
        return self.model(inputs_embeds=embeds, attention_mask=mask)[:, n:]


class Scale(nn.Module):
    """Parametrization t -> diag(s) t"""

    def __init__(self, scale):
        super().__init__()
        self.register_buffer("scale", scale.detach(), persistent=False)

    def forward(self, t):
        return (t.transpose(0, -1) * self.scale).transpose(0, -1)


class IA3Linear(nn.Module):
    def __init__(self, base):
        super().__init__()
        if not isinstance(base, nn.Linear):
            raise TypeError(f"base: nn.Linear wanted, {type(base).__name__} given")
        self.base = base
        freeze(self.base)
        self.ia3 = nn.Parameter(base.weight.detach().new_ones(base.out_features))

    def forward(self, x):
        return self.ia3 * self.base(x)

    def merge(self):
        linear = nn.Linear(self.base.in_features, self.base.out_features, bias=self.base.bias is not None,
                           device=self.base.weight.device, dtype=self.base.weight.dtype)
        with torch.no_grad():
            linear.weight.copy_(self.base.weight)
            if self.base.bias is not None:
                linear.bias.copy_(self.base.bias)
        for name in ("weight", "bias"):
            if getattr(linear, name) is not None:
                parametrize.register_parametrization(linear, name, Scale(self.ia3))
                parametrize.remove_parametrizations(linear, name, leave_parametrized=True)
        return linear


def adapter_state_dict(model):
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def load_adapter(model, state):
    own = {n: p for n, p in model.named_parameters() if p.requires_grad}
    for n in {**own, **state}:
        if n not in state:
            raise ValueError(f"state: a tensor {n} wanted, none given")
        if n not in own:
            raise ValueError(f"state: only {sorted(own)} wanted, {n} given")
        if own[n].shape != state[n].shape:
            raise ValueError(f"state: {n} of shape {tuple(own[n].shape)} wanted, of shape {tuple(state[n].shape)} given")
    for n, p in own.items():
        p.detach().copy_(state[n])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError(f"trainable: at most total = {total} wanted, {trainable} given")
    d = {"weights": weight_bytes * total, "gradients": grad_bytes * trainable, "optimizer": optimizer_bytes * trainable}
    d["total"] = sum(d.values())
    return d
