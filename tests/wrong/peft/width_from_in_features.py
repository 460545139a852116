# WRONG peft: the adapter takes its width from in_features, which fails where a layer is not square
import torch
import torch.nn as nn


class ParameterCount:
    def __init__(self, trainable, total):
        self.trainable = trainable
        self.total = total


def freeze(model):
    for name, p in model.named_parameters():
        p.requires_grad = False
    return model


def count_parameters(model):
    trainable = 0
    total = 0
    already_counted = []
    for p in model.parameters():
        # "p in list" does not work for tensors, so compare with is
        found = False
        for q in already_counted:
            if q is p:
                found = True
        if found:
            continue
        already_counted.append(p)
        total = total + p.numel()
        if p.requires_grad:
            trainable = trainable + p.numel()
    return ParameterCount(trainable, total)


def apply_bitfit(model, also=()):
    if type(also) is str:
        raise TypeError("also should be a list of strings but I got the string " + also)
    bias_count = 0
    for name, p in model.named_parameters():
        if name.split(".")[-1] == "bias":
            bias_count = bias_count + 1
    if bias_count == 0:
        raise ValueError("model should have a bias but I got a model without one: " + str(model))
    freeze(model)
    result = []
    for name, p in model.named_parameters():
        should_train = False
        if name.split(".")[-1] == "bias":
            should_train = True
        for text in also:
            if text in name:
                should_train = True
        if should_train:
            p.requires_grad = True
            result.append(name)
    return result


class Adapter(nn.Module):
    def __init__(self, hidden_size, bottleneck):
        super(Adapter, self).__init__()
        if bottleneck < 1:
            raise ValueError("bottleneck should be 1 or bigger but I got " + str(bottleneck))
        self.down = nn.Linear(hidden_size, bottleneck)
        self.gelu = nn.GELU()
        self.up = nn.Linear(bottleneck, hidden_size)
        self.up.weight.data = torch.zeros(hidden_size, bottleneck)
        self.up.bias.data = torch.zeros(hidden_size)

    def forward(self, x):
        y = self.down(x)
        y = self.gelu(y)
        y = self.up(y)
        return x + y


def has_adapter(module):
    # a layer with adapter is a Sequential whose second part is an Adapter
    if isinstance(module, nn.Sequential) and len(module) == 2:
        if isinstance(module[1], Adapter):
            return True
    return False


def find_modules(module, prefix, result):
    """fills result with [parent, name in parent, full name]"""
    for key in module._modules:
        child = module._modules[key]
        if child is None:
            continue
        full_name = prefix + key
        result.append([module, key, full_name])
        if has_adapter(child):
            find_modules(child[0], full_name + ".", result)
        elif isinstance(child, Adapter):
            pass
        else:
            find_modules(child, full_name + ".", result)


def add_adapters(model, target_modules, bottleneck):
    if type(target_modules) is str:
        raise TypeError("target_modules should be a list of strings but I got the string " + target_modules)
    if bottleneck < 1:
        raise ValueError("bottleneck should be 1 or bigger but I got " + str(bottleneck))
    everything = []
    find_modules(model, "", everything)
    matching = []
    for entry in everything:
        if entry[1] in target_modules:
            matching.append(entry)
    if len(matching) == 0:
        text = "target_modules should be modules of the model but I got " + str(target_modules) + ", the model has:"
        for entry in everything:
            text = text + " " + entry[2]
        raise ValueError(text)

    freeze(model)

    names = []
    layers_done = []
    for parent, key, full_name in matching:
        names.append(full_name)
        layer = parent._modules[key]
        if has_adapter(layer):
            continue
        new = None
        for old_layer, old_new in layers_done:
            if old_layer is layer:
                new = old_new
        if new is None:
            adapter = Adapter(layer.in_features, bottleneck)
            for p in layer.parameters():
                adapter = adapter.to(p.device)
                adapter = adapter.to(p.dtype)
                break
            new = nn.Sequential(layer, adapter)
            new.train(layer.training)
            layers_done.append((layer, new))
        setattr(parent, key, new)

    for module in model.modules():
        if isinstance(module, Adapter):
            for p in module.parameters():
                p.requires_grad = True
    return names


class PromptTuning(nn.Module):
    def __init__(self, model, num_virtual_tokens):
        super(PromptTuning, self).__init__()
        if num_virtual_tokens < 1:
            raise ValueError("num_virtual_tokens should be 1 or bigger but I got " + str(num_virtual_tokens))
        self.model = freeze(model)
        self.num_virtual_tokens = num_virtual_tokens
        embedding_matrix = model.get_input_embeddings().weight.data
        rows = []
        for i in range(num_virtual_tokens):
            token = i % embedding_matrix.shape[0]
            rows.append(embedding_matrix[token].clone())
        self.prompt = nn.Parameter(torch.stack(rows))

    def forward(self, input_ids, attention_mask):
        batch_size = input_ids.shape[0]
        embeddings = self.model.get_input_embeddings()
        real_embeddings = embeddings(input_ids)
        prompt_list = []
        for i in range(batch_size):
            prompt_list.append(self.prompt)
        prompts = torch.stack(prompt_list)
        all_embeddings = torch.cat([prompts, real_embeddings], dim=1)
        ones = torch.ones(batch_size, self.num_virtual_tokens, device=attention_mask.device).to(attention_mask.dtype)
        new_mask = torch.cat([ones, attention_mask], dim=1)
        logits = self.model(inputs_embeds=all_embeddings, attention_mask=new_mask)
        logits = logits[:, self.num_virtual_tokens:, :]
        return logits


class IA3Linear(nn.Module):
    def __init__(self, base):
        super(IA3Linear, self).__init__()
        if isinstance(base, nn.Linear) == False:
            raise TypeError("base should be a nn.Linear but I got " + str(type(base)))
        self.base = base
        freeze(self.base)
        ones = torch.ones(base.out_features, dtype=base.weight.dtype, device=base.weight.device)
        self.ia3 = nn.Parameter(ones)

    def forward(self, x):
        out = self.base(x)
        out = out * self.ia3
        return out

    def merge(self):
        if self.base.bias is None:
            new = nn.Linear(self.base.in_features, self.base.out_features, bias=False)
        else:
            new = nn.Linear(self.base.in_features, self.base.out_features)
        new.weight = nn.Parameter(self.base.weight.data * self.ia3.data.view(-1, 1))
        if self.base.bias is not None:
            new.bias = nn.Parameter(self.base.bias.data * self.ia3.data)
        return new


def adapter_state_dict(model):
    state = {}
    for name, p in model.named_parameters():
        if p.requires_grad == True:
            state[name] = p.detach().clone()
    return state


def load_adapter(model, state):
    my_parameters = {}
    for name, p in model.named_parameters():
        if p.requires_grad == True:
            my_parameters[name] = p
    # check first
    for name in my_parameters:
        if name not in state:
            raise ValueError("state should have " + name + " but it is missing")
    for name in state:
        if name not in my_parameters:
            raise ValueError("state should only have trainable tensors of the model but I got " + name)
        if list(state[name].shape) != list(my_parameters[name].shape):
            raise ValueError("state should have " + name + " with shape " + str(list(my_parameters[name].shape))
                             + " but I got " + str(list(state[name].shape)))
    # then copy
    for name in my_parameters:
        my_parameters[name].data.copy_(state[name])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable > total:
        raise ValueError("trainable should not be more than total (" + str(total) + ") but I got " + str(trainable))
    memory = {}
    memory["weights"] = total * weight_bytes
    memory["gradients"] = trainable * grad_bytes
    memory["optimizer"] = trainable * optimizer_bytes
    memory["total"] = memory["weights"] + memory["gradients"] + memory["optimizer"]
    return memory
