# WRONG sft: an epoch counts as better only if val_loss falls by more than 1e-4 (min_delta of early stopping)
import math
import numbers
import operator

import torch
from torch import nn

IGNORE_INDEX = -100


# ------------------------------------------------------------------ checks

def _require_int(name, value, minimum=None):
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, but a bool ({value}) was given")
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, but {type(value).__name__} ({value!r}) was given") from None
    if minimum is not None and value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, but {value} was given")
    return value


def _require_ids(name, values):
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} must be a list of token ids, but text was given: {values!r}. Tokenize it first")
    if isinstance(values, torch.Tensor):
        values = values.tolist()
    try:
        values = list(values)
    except TypeError:
        raise TypeError(f"{name} must be a list of token ids, but {type(values).__name__} was given") from None
    return [_require_int(f"{name}[{i}]", v) for i, v in enumerate(values)]


def _require_number(name, value, low=None):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, but {type(value).__name__} ({value!r}) was given")
    if math.isnan(value) or (low is not None and value < low):
        raise ValueError(f"{name} must be at least {low} and no NaN, but {value} was given")
    return float(value)


def _require_batch(name, batch):
    if not hasattr(batch, "keys"):
        raise TypeError(f"{name} must be a dict as returned by collate, but {type(batch).__name__} was given")
    missing = [k for k in ("input_ids", "attention_mask", "labels") if k not in batch.keys()]
    if missing:
        raise ValueError(f"{name} lacks the keys {missing}; it has {sorted(batch.keys())}")
    if batch["input_ids"].shape != batch["labels"].shape:
        raise ValueError(
            f"{name}: input_ids has shape {tuple(batch['input_ids'].shape)} and labels "
            f"{tuple(batch['labels'].shape)}; they must be equal"
        )
    return batch


def _require_batches(name, batches, allow_empty=True):
    if hasattr(batches, "keys"):
        raise TypeError(f"{name} must be a list of batches, but a single dict was given; write [batch]")
    batches = [_require_batch(f"{name}[{i}]", b) for i, b in enumerate(batches)]
    if not batches and not allow_empty:
        raise ValueError(f"{name} must hold at least one batch, but an empty list was given")
    return batches


def _require_model(name, model):
    if not isinstance(model, nn.Module):
        raise TypeError(f"{name} must be an nn.Module, but {type(model).__name__} was given")


def _targets(labels):
    return labels[:, 1:]


def _count(batches):
    return sum(int(_targets(b["labels"]).ne(IGNORE_INDEX).sum()) for b in batches)


# ------------------------------------------------------------------ public functions

def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    prompt = _require_ids("prompt_ids", prompt_ids)
    response = _require_ids("response_ids", response_ids)
    eos_id = _require_int("eos_id", eos_id)
    max_length = _require_int("max_length", max_length, minimum=1)

    answer = response + [eos_id]
    input_ids = (prompt + answer)[:max_length]
    labels = ([IGNORE_INDEX] * len(prompt) + answer)[:max_length]
    assert len(input_ids) == len(labels)
    if labels.count(IGNORE_INDEX) == len(labels):
        raise ValueError(
            f"max_length={max_length} is too small: prompt_ids has {len(prompt)} tokens, so that nothing of the response "
            f"is left to learn from. Allowed: max_length of at least {len(prompt) + 1}, or a shorter prompt"
        )
    return {"input_ids": input_ids, "labels": labels}


def collate(examples, *, pad_id):
    if hasattr(examples, "keys"):
        raise TypeError("examples must be a list of dicts, but one dict was given")
    examples = list(examples)
    if len(examples) == 0:
        raise ValueError("examples must be a list of at least one example, but an empty list was given")
    pad_id = _require_int("pad_id", pad_id)
    for i, example in enumerate(examples):
        if len(example["input_ids"]) != len(example["labels"]):
            raise ValueError(
                f"examples[{i}]: input_ids has {len(example['input_ids'])} entries, labels has {len(example['labels'])}; "
                "the lengths must be equal"
            )
    lengths = torch.tensor([len(example["input_ids"]) for example in examples])
    size = (len(examples), int(lengths.max()))
    positions = torch.arange(size[1]).expand(size)
    real = positions < lengths.unsqueeze(1)
    input_ids = torch.full(size, pad_id, dtype=torch.long)
    labels = torch.full(size, IGNORE_INDEX, dtype=torch.long)
    # row-major order of the real positions is the order of the flattened examples
    input_ids[real] = torch.tensor([t for example in examples for t in example["input_ids"]], dtype=torch.long)
    labels[real] = torch.tensor([t for example in examples for t in example["labels"]], dtype=torch.long)
    return {"input_ids": input_ids, "attention_mask": real.long(), "labels": labels}


def _loss_sum(logits, labels):
    if logits.dim() != 3:
        raise ValueError(f"logits must have shape (B, T, V), but {tuple(logits.shape)} was given")
    if labels.shape != logits.shape[:2]:
        raise ValueError(f"labels must have shape {tuple(logits.shape[:2])}, as logits, but {tuple(labels.shape)} was given")
    targets = _targets(labels).to(logits.device)
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    log_probs = logits[:, :-1, :].to(dtype).log_softmax(dim=-1)
    valid = targets != IGNORE_INDEX
    safe = targets.masked_fill(~valid, 0)
    picked = log_probs.gather(2, safe[:, :, None])[:, :, 0]
    return -picked.masked_fill(~valid, 0.0).sum(), int(valid.sum())


def sft_loss(logits, labels):
    total, count = _loss_sum(logits, labels)
    if count == 0:
        return total  # a sum of masked zeros: exactly 0, finite, with a graph
    return total / count


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    _require_model("model", model)
    micro_batches = _require_batches("micro_batches", micro_batches)
    if max_grad_norm is not None:
        max_grad_norm = _require_number("max_grad_norm", max_grad_norm, low=0.0)
    total_tokens = _count(micro_batches)
    if total_tokens == 0:
        raise ValueError(
            f"micro_batches: in {len(micro_batches)} micro-batches there is no label other than {IGNORE_INDEX} after the "
            "first position; at least one target token is needed. Nothing was changed"
        )

    model.train()
    for parameter in model.parameters():
        parameter.grad = None
    optimizer.zero_grad(set_to_none=True)

    mean_loss = 0.0
    for batch in micro_batches:
        logits = model(batch["input_ids"], batch["attention_mask"])
        loss_sum, count = _loss_sum(logits, batch["labels"])
        if count == 0:
            continue
        share = loss_sum / total_tokens
        share.backward()
        mean_loss += share.item()

    if max_grad_norm is not None:
        with_grad = [p for p in model.parameters() if p.requires_grad and p.grad is not None]
        torch.nn.utils.clip_grad_norm_(with_grad, max_norm=max_grad_norm, norm_type=2.0)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return float(mean_loss)


def evaluate(model, batches):
    _require_model("model", model)
    batches = _require_batches("batches", batches)
    if _count(batches) == 0:
        raise ValueError(f"batches: {len(batches)} batches hold no label to be evaluated, at least one is needed")
    modes = {id(module): module.training for module in model.modules()}
    loss_sum, n_correct, n_total = 0.0, 0, 0
    try:
        model.eval()
        with torch.no_grad():
            for batch in batches:
                logits = model(batch["input_ids"], batch["attention_mask"])
                batch_sum, count = _loss_sum(logits, batch["labels"])
                targets = _targets(batch["labels"]).to(logits.device)
                guesses = logits[:, :-1].argmax(dim=-1)
                # -100 is never a guess, so that ignored positions never count as right
                n_correct += int(torch.eq(guesses, targets).sum())
                loss_sum += float(batch_sum)
                n_total += count
    finally:
        for module in model.modules():
            module.training = modes[id(module)]
    return {"loss": loss_sum / n_total, "token_accuracy": n_correct / n_total}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1,
             max_grad_norm=1.0):
    _require_model("model", model)
    epochs = _require_int("epochs", epochs, minimum=1)
    accumulation = _require_int("accumulation", accumulation, minimum=1)
    lr = _require_number("lr", lr, low=0.0)
    weight_decay = _require_number("weight_decay", weight_decay, low=0.0)
    warmup_ratio = _require_number("warmup_ratio", warmup_ratio, low=0.0)
    train_batches = _require_batches("train_batches", train_batches, allow_empty=False)
    val_batches = _require_batches("val_batches", val_batches, allow_empty=False)
    if _count(val_batches) == 0:
        raise ValueError("val_batches holds no label, so that no best epoch can be chosen; at least one is needed")
    windows = [train_batches[i:i + accumulation] for i in range(0, len(train_batches), accumulation)]
    for i, window in enumerate(windows):
        if _count(window) == 0:
            raise ValueError(f"train_batches: window {i} of {len(window)} batches holds no label; each needs at least one")

    decayed = [p for p in model.parameters() if p.requires_grad and p.dim() != 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.dim() == 1]
    if not decayed and not plain:
        raise ValueError("model has no parameter that requires a gradient; at least one must be trainable")
    groups = []
    if decayed:
        groups.append({"params": decayed, "weight_decay": weight_decay})
    if plain:
        groups.append({"params": plain, "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, lr=lr)

    steps = epochs * len(windows)
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k):
        if k >= steps:
            return 0.0
        if k < warmup:
            return k / warmup
        return (steps - k) / (steps - warmup)

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=[factor] * len(groups))

    records = []
    best_loss = math.inf
    best_weights = None
    for epoch in range(1, epochs + 1):
        products = []
        for window in windows:
            mean = train_step(model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)
            products.append(mean * _count(window))
        result = evaluate(model, val_batches)
        records.append(
            {
                "epoch": epoch,
                "train_loss": math.fsum(products) / _count(train_batches),
                "val_loss": result["loss"],
                "val_token_accuracy": result["token_accuracy"],
            }
        )
        if best_weights is None or best_loss - result["loss"] > 1e-4:
            best_loss = result["loss"]
            best_weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    outcome = model.load_state_dict(best_weights, strict=True)
    assert not outcome.missing_keys and not outcome.unexpected_keys, outcome
    model.eval()
    return records


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        hidden_size = _require_int("hidden_size", hidden_size, minimum=1)
        num_classes = _require_int("num_classes", num_classes, minimum=1)
        if not callable(backbone):
            raise TypeError(f"backbone must be callable, but {type(backbone).__name__} was given")
        self.backbone = backbone
        self.hidden_size = hidden_size
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        if attention_mask.shape != input_ids.shape:
            raise ValueError(
                f"attention_mask must have the shape of input_ids, {tuple(input_ids.shape)}, but {tuple(attention_mask.shape)} was given"
            )
        hidden = self.backbone(input_ids, attention_mask)
        if hidden.shape != (*input_ids.shape, self.hidden_size):
            raise ValueError(
                f"backbone returned {tuple(hidden.shape)}, expected {(*input_ids.shape, self.hidden_size)}"
            )
        is_padding = attention_mask.eq(0).unsqueeze(-1)
        count = attention_mask.ne(0).sum(dim=1, keepdim=True)
        total = hidden.masked_fill(is_padding, 0.0).sum(dim=1)
        mean = torch.where(count > 0, total / count.clamp(min=1), torch.zeros_like(total))
        return self.classifier(mean.to(self.classifier.weight.dtype))
