# WRONG sft: zero_grad(set_to_none=False): a parameter that was frozen after an earlier update keeps a gradient of zeros, and the optimizer's decay and moments still move it
import contextlib
import math
from typing import Iterator

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

IGNORE_INDEX = -100


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    def pairs() -> Iterator[tuple]:
        for token in prompt_ids:
            yield token, IGNORE_INDEX
        for token in response_ids:
            yield token, token
        yield eos_id, eos_id

    input_ids, labels = [], []
    for token, label in pairs():
        if len(input_ids) >= max_length:
            break
        input_ids.append(token)
        labels.append(label)
    if not any(label != IGNORE_INDEX for label in labels):
        raise ValueError(
            f"all labels are masked: prompt_ids fills max_length={max_length} ({len(prompt_ids)} tokens); "
            f"pass a max_length above {len(prompt_ids)}"
        )
    return {"input_ids": input_ids, "labels": labels}


def collate(examples, *, pad_id):
    if len(examples) == 0:
        raise ValueError("examples must not be empty (0 given, 1 or more allowed)")
    fill = {"input_ids": pad_id, "attention_mask": 0, "labels": IGNORE_INDEX}
    width = max(len(example["input_ids"]) for example in examples)
    batch = {key: torch.full((len(examples), width), value, dtype=torch.long) for key, value in fill.items()}
    for row, example in enumerate(examples):
        for key in fill:
            values = example[key] if key in ("input_ids", "labels") else [1] * len(example["input_ids"])
            batch[key][row, : len(values)] = torch.as_tensor(values, dtype=torch.long)
    return batch


@contextlib.contextmanager
def eval_mode(model):
    with contextlib.ExitStack() as stack:
        for module in model.modules():
            stack.callback(setattr, module, "training", module.training)
        stack.enter_context(torch.no_grad())
        model.eval()
        yield model


@contextlib.contextmanager
def fresh_gradients(model, optimizer):
    """Clear what an earlier backward pass left, run the block, make the update if the block succeeded."""
    model.zero_grad(set_to_none=False)
    optimizer.zero_grad(set_to_none=False)
    yield
    optimizer.step()


def meter():
    """A coroutine: send (sum, count) pairs, get the running mean."""
    total, count = 0.0, 0
    mean = None
    while True:
        more, n = yield mean
        total, count = total + more, count + n
        mean = total / count if count else None


def start_meter():
    m = meter()
    next(m)
    return m


def flatten(logits, labels):
    logits, labels = logits[:, :-1], labels[:, 1:]
    return logits.flatten(end_dim=1), labels.flatten()


def summed_cross_entropy(logits, labels):
    logits, labels = flatten(logits, labels)
    per_token = F.cross_entropy(logits.to(torch.float32), labels, ignore_index=IGNORE_INDEX, reduction="none")
    return per_token.sum()


def targets(batch_or_labels):
    labels = batch_or_labels["labels"] if isinstance(batch_or_labels, dict) else batch_or_labels
    return labels[:, 1:].ne(IGNORE_INDEX).sum().item()


def sft_loss(logits, labels):
    return summed_cross_entropy(logits, labels).div(max(targets(labels), 1))


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    total = sum(targets(batch) for batch in micro_batches)
    if not total:
        raise ValueError(
            f"micro_batches ({len(micro_batches)}) without a single target: an update needs at least one label"
        )
    model.train()
    losses = start_meter()
    with fresh_gradients(model, optimizer):
        for batch in micro_batches:
            nll = summed_cross_entropy(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
            nll.div(total).backward()
            mean = losses.send((nll.item(), targets(batch)))
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    if scheduler is not None:
        scheduler.step()
    return mean


def evaluate(model, batches):
    losses, accuracies = start_meter(), start_meter()
    result = {"loss": None, "token_accuracy": None}
    with eval_mode(model):
        for batch in batches:
            logits = model(batch["input_ids"], batch["attention_mask"])
            n = targets(batch)
            flat_logits, flat_labels = flatten(logits, batch["labels"])
            keep = flat_labels.ne(IGNORE_INDEX)
            right = flat_logits[keep].argmax(dim=-1).eq(flat_labels[keep]).sum().item()
            result["loss"] = losses.send((summed_cross_entropy(logits, batch["labels"]).item(), n))
            result["token_accuracy"] = accuracies.send((right, n))
    if result["loss"] is None:
        raise ValueError("batches: there is no label at all, a mean over no token does not exist")
    return result


class BestWeights(contextlib.AbstractContextManager):
    """Offers a `consider(loss)` inside the block; loads the best weights on a clean exit."""

    def __init__(self, model):
        self.model, self.loss, self.weights = model, None, None

    def consider(self, loss):
        if self.loss is None or loss < self.loss:
            self.loss = loss
            self.weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def __exit__(self, kind, value, traceback):
        if kind is None and self.weights is not None:
            self.model.load_state_dict(self.weights)
            self.model.eval()
        return False


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1,
             max_grad_norm=1.0):
    for name, given in {"epochs": epochs, "accumulation": accumulation}.items():
        if given < 1:
            raise ValueError(f"{name}={given} is not allowed, use 1 or more")
    if not len(train_batches):
        raise ValueError("train_batches is empty, use at least one batch")

    def windows():
        for start in range(0, len(train_batches), accumulation):
            yield train_batches[start : start + accumulation]

    steps = epochs * sum(1 for _ in windows())
    warmup = math.ceil(warmup_ratio * steps)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in trainable if len(p.shape) != 1]},
            {"params": [p for p in trainable if len(p.shape) == 1], "weight_decay": 0.0},
        ],
        lr=lr,
        weight_decay=weight_decay,
    )

    def rise_and_fall(k):
        return k / warmup if k < warmup else (steps - k) / max(steps - warmup, 1)

    scheduler = LambdaLR(optimizer, rise_and_fall)
    history = []
    with BestWeights(model) as best:
        for epoch in range(1, epochs + 1):
            train = start_meter()
            for window in windows():
                n = sum(targets(batch) for batch in window)
                loss = train_step(model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)
                train_loss = train.send((loss * n, n))
            scores = evaluate(model, val_batches)
            best.consider(scores["loss"])
            history.append(
                dict(epoch=epoch, train_loss=train_loss, val_loss=scores["loss"], val_token_accuracy=scores["token_accuracy"])
            )
    return history


class SequenceClassifier(nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        hidden = self.backbone(input_ids, attention_mask)
        hidden = hidden.clone()
        hidden[attention_mask == 0] = 0
        share = 1 / attention_mask.sum(dim=1).clamp(min=1).to(hidden.dtype)
        return self.classifier(hidden.sum(dim=1).mul(share.unsqueeze(1)))
