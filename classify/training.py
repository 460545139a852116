"""Training epoch by epoch: after each, all that is needed to go on is on disk."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from transformers import get_linear_schedule_with_warmup

from classify import ClassifyError, files
from solutions.peft import adapter_state_dict, load_adapter

VERSION = 1  # of what the state holds


@dataclass(frozen=True)
class Examples:
    """Token ids of each text, and the number of its label."""

    ids: list[list[int]]
    labels: list[int]


@dataclass(frozen=True)
class Settings:
    """How to train. The learning rate is that of the end of the warm-up."""

    epochs: int
    lr: float
    batch_size: int
    seed: int
    weight_decay: float = 0.01
    warmup_ratio: float = 0.06
    max_grad_norm: float = 1.0


def collate(rows: Sequence[Sequence[int]], pad_id: int, device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, each (B, T), padded on the right to the longest row."""
    ids = pad_sequence([torch.tensor(row) for row in rows], True, pad_id)
    mask = pad_sequence([torch.ones(len(row), dtype=torch.long) for row in rows], True, 0)
    return ids.to(device), mask.to(device)


def all_logits(model: nn.Module, rows: Sequence[Sequence[int]], *, pad_id: int, batch_size: int) -> torch.Tensor:
    """What the model says of each row, (rows, labels) in float32 on the CPU. The model is left in eval mode."""
    model.eval()
    device = next(model.parameters()).device
    by_length = sorted(range(len(rows)), key=lambda number: len(rows[number]))  # little padding in a batch
    answers = [None] * len(rows)
    with torch.no_grad():
        for start in range(0, len(rows), batch_size):
            part = by_length[start : start + batch_size]
            logits = model(*collate([rows[number] for number in part], pad_id, device))
            for number, row in zip(part, logits.float().cpu()):
                answers[number] = row
    return torch.stack(answers)


def train(
    model: nn.Module,
    learn: Examples,
    valid: Examples,
    settings: Settings,
    *,
    pad_id: int,
    state: Path,
    identity: dict,
    step_done: Callable[[int, int], None] = lambda epoch, steps: None,
    epoch_done: Callable[[dict], None] = lambda entry: None,
) -> list[dict]:
    """Train with the optimizer, the schedule and the choice of the epoch of `solutions.sft.finetune`.

    Each epoch draws its order and its dropout from its own seed. So a training that goes on after an epoch needs no state of the
    random numbers, and gives what it would have given without a break.

    Args:
        state: the file that is written after each epoch, and from which the training goes on if it is there.
        identity: what has to be equal for that: data, model and settings, by name.
        step_done: called after each update with the epoch and the number of updates in an epoch.
        epoch_done: called with the entry of each epoch, also of those from an earlier run.

    Returns:
        For each epoch a dict of epoch (from 1), train_loss and val_loss (nats a text), and val_accuracy. The model is left in eval
        mode with the weights of the epoch of the lowest val_loss, the first of them on a tie.

    Raises:
        ClassifyError: the state is of another training, or the loss is no longer a number.
    """
    steps = math.ceil(len(learn.ids) / settings.batch_size)
    optimizer = _optimizer(model, settings)
    total = settings.epochs * steps
    scheduler = get_linear_schedule_with_warmup(optimizer, math.ceil(settings.warmup_ratio * total), total)
    history, best = [], {}
    if state.exists():
        history, best = _go_on(model, optimizer, scheduler, state, identity)
    for entry in history:
        epoch_done(entry)
    for epoch in range(len(history) + 1, settings.epochs + 1):
        loss = 0.0
        model.train()
        for ids, mask, labels in _batches(model, learn, settings, epoch, pad_id):
            loss += len(labels) * _step(model, ids, mask, labels, optimizer, settings.max_grad_norm)
            scheduler.step()
            if not math.isfinite(loss):
                raise ClassifyError(f"The loss is no longer a number in epoch {epoch}. Choose a lower learning rate: --lr.")
            step_done(epoch, steps)
        entry = {"epoch": epoch, "train_loss": loss / len(learn.ids)} | _validate(model, valid, pad_id, settings.batch_size)
        if not best or entry["val_loss"] < min(earlier["val_loss"] for earlier in history):
            best = {name: tensor.cpu().clone() for name, tensor in adapter_state_dict(model).items()}
        history.append(entry)
        now = {
            "version": VERSION, "identity": identity, "history": history, "best": best, "weights": adapter_state_dict(model),
            "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
        }  # fmt: skip
        files.write(state, lambda path, now=now: torch.save(now, path))
        epoch_done(entry)
    load_adapter(model, best)
    model.eval()
    return history


def _optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},  # biases and norms do not decay
    ]
    return torch.optim.AdamW(groups, lr=settings.lr)


def _batches(
    model: nn.Module, learn: Examples, settings: Settings, epoch: int, pad_id: int
) -> Iterator[tuple[torch.Tensor, ...]]:
    """The batches of an epoch: ids, mask and labels. Sets the seed of this epoch, for their order and for dropout."""
    drawn = random.Random(f"{settings.seed} {epoch}")
    torch.manual_seed(drawn.getrandbits(63))
    order = list(range(len(learn.ids)))
    drawn.shuffle(order)
    device = next(model.parameters()).device
    for start in range(0, len(order), settings.batch_size):
        part = order[start : start + settings.batch_size]
        ids, mask = collate([learn.ids[number] for number in part], pad_id, device)
        yield ids, mask, torch.tensor([learn.labels[number] for number in part], device=device)


def _step(model: nn.Module, ids, mask, labels, optimizer: torch.optim.Optimizer, max_grad_norm: float) -> float:
    """One update. The mean loss of the batch before it."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(ids, mask).float(), labels)
    loss.backward()
    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], max_grad_norm)
    optimizer.step()
    return loss.item()


def _validate(model: nn.Module, valid: Examples, pad_id: int, batch_size: int) -> dict[str, float]:
    logits, labels = all_logits(model, valid.ids, pad_id=pad_id, batch_size=batch_size), torch.tensor(valid.labels)
    right = (logits.argmax(dim=1) == labels).float().mean().item()
    return {"val_loss": F.cross_entropy(logits, labels).item(), "val_accuracy": right}


def _go_on(model: nn.Module, optimizer, scheduler, path: Path, identity: dict) -> tuple[list[dict], dict[str, torch.Tensor]]:
    """Bring all to where an earlier run was after its last epoch. Its history and its best weights."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        told = state["identity"] if state["version"] == VERSION else {}
    except Exception as error:  # pickle, zip, torch: each raises kinds of its own
        raise ClassifyError(f"{path} is damaged ({type(error).__name__}). Start again in a new folder.") from None
    if other := sorted(name for name in identity.keys() | told.keys() if identity.get(name) != told.get(name)):
        raise ClassifyError(
            f"{path.parent} holds a training with another {other[0]}: {told.get(other[0])}, not {identity.get(other[0])}. "
            "Give the same command as before with --resume, or name a new folder."
        )
    load_adapter(model, state["weights"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    return state["history"], state["best"]
