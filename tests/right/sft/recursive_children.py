# RIGHT sft: recursion over children for modes, parameter groups and weights, recursion over epochs, no load_state_dict
import math
import torch
import torch.nn as nn

IGNORE_INDEX = -100


# ---- recursive tools over the module tree -------------------------------------------------

def save_modes(module, seen=None):
    """Nested picture of the modes: (module, training, [pictures of the children])."""
    return module, module.training, [save_modes(child) for child in module.children()]


def restore_modes(picture):
    module, training, children = picture
    module.training = training
    for child in children:
        restore_modes(child)


def set_mode(module, training):
    module.training = training
    for child in module.children():
        set_mode(child, training)


def own_tensors(module, seen):
    """All parameters and persistent buffers, each tensor once, depth first."""
    for p in module.parameters(recurse=False):
        if id(p) not in seen:
            seen.add(id(p))
            yield p
    for name, b in module.named_buffers(recurse=False):
        if id(b) not in seen and name not in module._non_persistent_buffers_set:
            seen.add(id(b))
            yield b
    for child in module.children():
        yield from own_tensors(child, seen)


def trainable(module):
    return [t for t in own_tensors(module, set()) if isinstance(t, nn.Parameter) and t.requires_grad]


# ---- data ---------------------------------------------------------------------------------

def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    def build(rest, learn, room):
        """Recursive on segments: prompt, then response, then EOS."""
        if not rest or room <= 0:
            return [], []
        head = list(rest[0])[:room]
        ids, labels = build(rest[1:], learn[1:], room - len(head))
        return head + ids, (head if learn[0] else [IGNORE_INDEX] * len(head)) + labels

    ids, labels = build([prompt_ids, response_ids, [eos_id]], [False, True, True], max_length)
    if len(labels) <= len(prompt_ids):
        raise ValueError(
            "max_length: %r given, more than the %d tokens of the prompt allowed - no label would be left"
            % (max_length, len(prompt_ids))
        )
    return {"input_ids": ids, "labels": labels}


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples: [] given, a list with one example at least allowed")
    n = max(len(x["input_ids"]) for x in examples)

    def pad(values, filler):
        return values if len(values) >= n else values + [filler] * (n - len(values))

    out = {"input_ids": [], "attention_mask": [], "labels": []}
    for x in examples:
        out["input_ids"].append(pad(list(x["input_ids"]), pad_id))
        out["attention_mask"].append(pad([1] * len(x["input_ids"]), 0))
        out["labels"].append(pad(list(x["labels"]), IGNORE_INDEX))
    return {k: torch.LongTensor(v) for k, v in out.items()}


# ---- loss ---------------------------------------------------------------------------------

def scores(logits, labels):
    """Sum of the losses, hits, targets."""
    guess = logits.narrow(1, 0, logits.shape[1] - 1)
    goal = labels.narrow(1, 1, labels.shape[1] - 1)
    on = goal != IGNORE_INDEX
    index = torch.where(on, goal, torch.zeros_like(goal))
    wide = guess.double() if guess.dtype == torch.float64 else guess.float()
    logp = torch.take_along_dim(wide.log_softmax(2), index[..., None], 2)[..., 0]
    zero = torch.zeros((), dtype=logp.dtype, device=logp.device)
    loss = -torch.where(on, logp, zero).sum()
    hits = ((guess.argmax(2) == goal) & on).sum()
    return loss, int(hits), int(on.sum())


def sft_loss(logits, labels):
    loss, _, n = scores(logits, labels)
    return loss / n if n else loss


def count(batches):
    if isinstance(batches, dict):
        return int((batches["labels"][:, 1:] != IGNORE_INDEX).sum())
    return sum(count(b) for b in batches)


# ---- training -----------------------------------------------------------------------------

def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    n = count(list(micro_batches))
    if n == 0:
        raise ValueError("micro_batches: 0 target tokens given, 1 or more needed")
    set_mode(model, True)
    optimizer.zero_grad()
    for t in own_tensors(model, set()):
        t.grad = None
    total = 0.0
    for b in micro_batches:
        loss = scores(model(b["input_ids"], b["attention_mask"]), b["labels"])[0]
        (loss / n).backward()
        total += loss.item()
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(trainable(model), max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return total / n


def evaluate(model, batches):
    picture = save_modes(model)
    try:
        set_mode(model, False)
        with torch.no_grad():
            rows = [scores(model(b["input_ids"], b["attention_mask"]), b["labels"]) for b in batches]
    finally:
        restore_modes(picture)
    n = sum(r[2] for r in rows)
    if n == 0:
        raise ValueError("batches: not a single label given, 1 or more needed")
    return {"loss": sum(r[0].item() for r in rows) / n, "token_accuracy": sum(r[1] for r in rows) / n}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1,
             max_grad_norm=1.0):
    if epochs < 1:
        raise ValueError("epochs: %r given, 1 or more allowed" % (epochs,))
    if accumulation < 1:
        raise ValueError("accumulation: %r given, 1 or more allowed" % (accumulation,))
    if not train_batches:
        raise ValueError("train_batches: [] given, one batch at least allowed")

    def split(batches):
        return [batches[:accumulation]] + split(batches[accumulation:]) if batches else []

    windows = split(list(train_batches)) if len(train_batches) < 500 else [
        train_batches[i:i + accumulation] for i in range(0, len(train_batches), accumulation)]
    steps = len(windows) * epochs
    warmup = math.ceil(warmup_ratio * steps)
    groups = {}
    for p in trainable(model):
        groups.setdefault(0.0 if p.dim() == 1 else weight_decay, []).append(p)
    optimizer = torch.optim.AdamW([{"params": ps, "weight_decay": wd} for wd, ps in groups.items()], lr=lr)

    def one_epoch(epoch, done, best):
        """Recursive: train one epoch, then the next; gives back the history."""
        if epoch > epochs:
            with torch.no_grad():
                for t, value in zip(own_tensors(model, set()), best[1]):
                    t.copy_(value)
            set_mode(model, False)
            return []
        loss = 0.0
        for k, window in enumerate(windows, start=done):
            for g in optimizer.param_groups:
                g["lr"] = lr * k / warmup if k < warmup else lr * (steps - k) / (steps - warmup)
            loss += train_step(model, window, optimizer, max_grad_norm=max_grad_norm) * count(window)
        val = evaluate(model, val_batches)
        if best is None or val["loss"] < best[0]:
            best = (val["loss"], [t.detach().clone() for t in own_tensors(model, set())])
        entry = {"epoch": epoch, "train_loss": loss / count(list(train_batches)), "val_loss": val["loss"],
                 "val_token_accuracy": val["token_accuracy"]}
        return [entry] + one_epoch(epoch + 1, done + len(windows), best)

    return one_epoch(1, 0, None)


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.add_module("backbone", backbone)
        self.add_module("classifier", nn.Linear(hidden_size, num_classes))

    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, attention_mask)
        on = attention_mask[:, :, None] != 0
        zero = torch.zeros((), dtype=hidden.dtype, device=hidden.device)
        n = on.sum(1).clamp(min=1)
        return self.classifier((torch.where(on, hidden, zero) / n[:, None, :]).sum(1))
