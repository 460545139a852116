# RIGHT lora: by a beginner, explicit loops, split and getattr chains, long variable names, no helper libraries
import torch
import torch.nn as nn


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super(LoRALinear, self).__init__()
        if isinstance(base, nn.Linear) == False:
            raise TypeError("base should be a nn.Linear but I got " + str(type(base)))
        if rank < 1:
            raise ValueError("rank should be 1 or bigger but I got " + str(rank))
        if dropout < 0 or dropout >= 1:
            raise ValueError("dropout should be between 0 and 1 (1 not allowed) but I got " + str(dropout))

        self.base = base
        self.rank = rank
        self.alpha = alpha
        self.scaling = alpha / rank
        self.merged = False

        # the original layer does not learn
        self.base.weight.requires_grad = False
        if self.base.bias is not None:
            self.base.bias.requires_grad = False

        in_features = self.base.in_features
        out_features = self.base.out_features
        my_dtype = self.base.weight.dtype
        my_device = self.base.weight.device

        # A is initialised like a nn.Linear (kaiming uniform with sqrt 5), so I just use one
        helper = nn.Linear(in_features, rank, bias=False, device=my_device, dtype=my_dtype)
        self.lora_A = nn.Parameter(helper.weight.data)
        # B is zero
        self.lora_B = nn.Parameter(torch.zeros(out_features, rank, device=my_device, dtype=my_dtype))

        self.dropout_layer = nn.Dropout(dropout)

    def delta_weight(self):
        BA = torch.matmul(self.lora_B, self.lora_A)
        return BA * self.scaling

    def merge(self):
        if self.merged == True:
            return
        with torch.no_grad():
            new_weight = self.base.weight + self.delta_weight()
            self.base.weight.copy_(new_weight)
        self.merged = True

    def unmerge(self):
        if self.merged == False:
            return
        with torch.no_grad():
            new_weight = self.base.weight - self.delta_weight()
            self.base.weight.copy_(new_weight)
        self.merged = False

    def forward(self, x):
        out = self.base(x)
        if self.merged == True:
            return out
        x = self.dropout_layer(x)
        x = torch.matmul(x, self.lora_A.t())
        x = torch.matmul(x, self.lora_B.t())
        x = x * self.scaling
        out = out + x
        return out


def get_by_name(model, name):
    """walks from the model to the module with this name, for example 'layers.0.q_proj'"""
    module = model
    if name == "":
        return module
    for part in name.split("."):
        module = getattr(module, part)
    return module


def set_by_name(model, name, new_module):
    parts = name.split(".")
    parent = get_by_name(model, ".".join(parts[:-1]))
    setattr(parent, parts[-1], new_module)


def is_in_lora_layer(model, name):
    parts = name.split(".")
    for i in range(len(parts)):
        parent_name = ".".join(parts[:i])
        if isinstance(get_by_name(model, parent_name), LoRALinear):
            return True
    return False


def find_linear_names(model):
    names = []
    for name, module in model.named_modules(remove_duplicate=False):
        if name == "":
            continue
        if is_in_lora_layer(model, name):
            continue
        if isinstance(module, nn.Linear) or isinstance(module, LoRALinear):
            names.append(name)
    return names


def inject_lora(model, target_modules, rank, alpha, dropout=0.0):
    if type(target_modules) == str:
        raise TypeError("target_modules should be a list of strings but I got the string " + target_modules)

    # first find all the layers
    all_linear_names = find_linear_names(model)
    matching = []
    for name in all_linear_names:
        last_part = name.split(".")[-1]
        if last_part in target_modules:
            matching.append(name)
    if len(matching) == 0:
        message = "target_modules should be names of linear layers. I got " + str(target_modules)
        message = message + " but the model only has: "
        for name in all_linear_names:
            message = message + name + " "
        raise ValueError(message)

    # then freeze
    for p in model.parameters():
        p.requires_grad = False

    # then replace
    # (the same layer can be in the model twice, then both places must get the same LoRALinear)
    old_layers = []
    new_layers = []
    for module in model.modules():
        if isinstance(module, LoRALinear):
            old_layers.append(module.base)
            new_layers.append(module)
    wrapped_names = []
    for name in matching:
        layer = get_by_name(model, name)
        if isinstance(layer, LoRALinear):
            continue
        lora_layer = None
        for i in range(len(old_layers)):
            if old_layers[i] is layer:
                lora_layer = new_layers[i]
        if lora_layer is None:
            lora_layer = LoRALinear(layer, rank, alpha, dropout)
            if layer.training == False:
                lora_layer.eval()
            old_layers.append(layer)
            new_layers.append(lora_layer)
        set_by_name(model, name, lora_layer)
        wrapped_names.append(name)

    # then unfreeze lora
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.lora_A.requires_grad = True
            module.lora_B.requires_grad = True

    return wrapped_names


def lora_state_dict(model):
    state = {}
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            if name == "":
                state["lora_A"] = module.lora_A.detach().clone()
                state["lora_B"] = module.lora_B.detach().clone()
            else:
                state[name + ".lora_A"] = module.lora_A.detach().clone()
                state[name + ".lora_B"] = module.lora_B.detach().clone()
    return state


def load_lora_state_dict(model, state):
    my_state = lora_state_dict(model)
    # check everything first!!
    for name in my_state:
        if name not in state:
            raise ValueError("state should have " + name + " but it is missing")
        if list(my_state[name].shape) != list(state[name].shape):
            raise ValueError("state: " + name + " should have shape " + str(list(my_state[name].shape))
                             + " but I got " + str(list(state[name].shape)))
    for name in state:
        if name not in my_state:
            raise ValueError("state should only have lora tensors of the model but I got " + name)
    for name in my_state:
        parameter = get_by_name(model, name)
        parameter.data.copy_(state[name])


def make_linear(lora_layer):
    base = lora_layer.base
    if base.bias is None:
        linear = nn.Linear(base.in_features, base.out_features, bias=False)
    else:
        linear = nn.Linear(base.in_features, base.out_features)
    if lora_layer.merged:
        weight = base.weight.data.clone()
    else:
        weight = base.weight.data + lora_layer.delta_weight().data
    linear.weight = nn.Parameter(weight)
    if base.bias is not None:
        linear.bias = nn.Parameter(base.bias.data.clone())
    linear.weight.requires_grad = False
    if not lora_layer.training:
        linear.eval()
    return linear


def merge_lora(model):
    if isinstance(model, LoRALinear):
        return make_linear(model)
    done = []  # pairs (lora layer, linear layer)
    for name in find_linear_names(model):
        layer = get_by_name(model, name)
        if isinstance(layer, LoRALinear):
            linear = None
            for pair in done:
                if pair[0] is layer:
                    linear = pair[1]
            if linear is None:
                linear = make_linear(layer)
                done.append((layer, linear))
            set_by_name(model, name, linear)
    return model
