"""Supervised fine-tuning of a language model: from token ids to a tuned model.

The objective is the likelihood of the response, given the prompt (arXiv 2106.09685, eq. 1):

    loss = - mean over response tokens of log p(token | all tokens before it)

Prompt tokens condition the response, but they are not scored: their labels are IGNORE_INDEX.

Letters in the shapes: B batch, T tokens, V vocabulary, D hidden size. A model is called as
model(input_ids, attention_mask) and returns logits (B, T, V). A batch is the dict of `collate`.
"""

import copy
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

IGNORE_INDEX = -100  # the label of a token that is not scored, as in PyTorch and Hugging Face


def encode_example(
    prompt_ids: Sequence[int], response_ids: Sequence[int], *, eos_id: int, max_length: int
) -> dict[str, list[int]]:
    """One training example: prompt, response and EOS as inputs; response and EOS as labels.

    What is longer than max_length is cut at the end.

    Returns:
        A dict of two lists of equal length, input_ids and labels. Prompt labels are IGNORE_INDEX.

    Raises:
        ValueError: no label is left to learn from, because the prompt alone fills max_length.
    """
    target = [*response_ids, eos_id]
    input_ids = [*prompt_ids, *target][:max_length]
    labels = [*[IGNORE_INDEX] * len(prompt_ids), *target][:max_length]
    if all(label == IGNORE_INDEX for label in labels):
        raise ValueError(
            f"max_length={max_length} leaves no token of the response: the prompt has {len(prompt_ids)} tokens"
        )
    return {"input_ids": input_ids, "labels": labels}


def collate(examples: Sequence[dict[str, list[int]]], *, pad_id: int) -> dict[str, torch.Tensor]:
    """A batch of examples, padded on the right to the longest.

    The mask and the labels follow from the lengths, never from the value of pad_id: that may be the
    id of EOS, and EOS must be learned.

    Returns:
        input_ids, attention_mask (1 on tokens, 0 on padding) and labels (IGNORE_INDEX on padding),
        each (B, T) long.

    Raises:
        ValueError: there are no examples.
    """
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")

    def padded(rows, value):
        return pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], True, value)

    return {
        "input_ids": padded([example["input_ids"] for example in examples], pad_id),
        "attention_mask": padded([[1] * len(example["input_ids"]) for example in examples], 0),
        "labels": padded([example["labels"] for example in examples], IGNORE_INDEX),
    }


def sft_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Next-token cross-entropy: position t predicts label t + 1. The mean over scored labels.

    Computed in float32 at least, whatever the dtype of the logits.

    Args:
        logits: (B, T, V).
        labels: (B, T), IGNORE_INDEX where nothing is scored.

    Returns:
        A scalar in nats per token. With no label left it is 0 and still has a graph, never NaN.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # half precision rounds too coarsely
    predicted, target = logits[:, :-1], labels[:, 1:]
    total = F.cross_entropy(predicted.flatten(0, 1), target.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / _count(labels).clamp(min=1)


def train_step(
    model: nn.Module,
    micro_batches: Sequence[dict[str, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    *,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    max_grad_norm: float | None = 1.0,
) -> float:
    """One optimizer update over several micro-batches, as if they were one batch.

    Each micro-batch is weighted by its target tokens. A mean of the micro-batches' means would give
    the tokens of a short answer more weight than those of a long one.

    Args:
        max_grad_norm: the largest norm of all gradients together; None does not clip, 0.0 leaves
            no gradient.

    Returns:
        The mean loss per target token before the update. The model, with all that is inside, is left
        in train mode.

    Raises:
        ValueError: the whole list holds no label. Nothing is changed then.
    """
    total = sum(_count(batch["labels"]).item() for batch in micro_batches)
    if total == 0:
        raise ValueError("micro_batches hold no label to learn from: all are IGNORE_INDEX")
    model.train()
    optimizer.zero_grad()
    mean_loss = 0.0
    for batch in micro_batches:
        logits = model(batch["input_ids"], batch["attention_mask"])
        loss = sft_loss(logits, batch["labels"]) * _count(batch["labels"]) / total
        loss.backward()  # adds to the gradients of the micro-batches before
        mean_loss += loss.item()
    if max_grad_norm is not None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return mean_loss


def evaluate(model: nn.Module, batches: Sequence[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Loss per target token, and the share of target tokens that the model would have chosen.

    Runs in eval mode and without gradients. Afterwards every submodule has its own mode again, also after
    an exception.

    Returns:
        A dict of loss (nats) and token_accuracy (0 to 1), both over the tokens of all batches.

    Raises:
        ValueError: the batches hold no label.
    """
    loss, right, total = 0.0, 0, 0
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                logits = model(batch["input_ids"], batch["attention_mask"])
                tokens = _count(batch["labels"]).item()
                loss += sft_loss(logits, batch["labels"]).item() * tokens
                right += (logits[:, :-1].argmax(dim=-1) == batch["labels"][:, 1:]).sum().item()
                total += tokens
    finally:
        for module, mode in modes.items():
            module.training = mode  # train(mode) would set all that is inside, too
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / total}


def finetune(
    model: nn.Module,
    train_batches: Sequence[dict[str, torch.Tensor]],
    val_batches: Sequence[dict[str, torch.Tensor]],
    *,
    epochs: int,
    lr: float,
    weight_decay: float = 0.01,
    warmup_ratio: float = 0.06,
    accumulation: int = 1,
    max_grad_norm: float | None = 1.0,
) -> list[dict[str, float]]:
    """Train with AdamW, a linear warm-up and a linear decay, and keep the best epoch.

    The learning rate of update k = 0, 1, … is lr · k / warmup while k < warmup, then
    lr · (steps - k) / (steps - warmup), with warmup = ceil(warmup_ratio · steps): the schedule of
    transformers.get_linear_schedule_with_warmup. AdamW keeps PyTorch's betas and eps. 1-D parameters,
    such as biases and norm gains, do not decay; all others do, whatever their names.

    Args:
        train_batches: taken in the order given, `accumulation` of them for each update. The last
            update of an epoch may have fewer.

    Returns:
        One dict for each epoch: epoch (from 1), train_loss, val_loss (nats per target token) and
        val_token_accuracy. The model is left in eval mode with the weights of the epoch of the
        lowest val_loss, by however little, the first of them on a tie.

    Raises:
        ValueError: epochs or accumulation is below 1, or train_batches is empty.
    """
    for name, value in (("epochs", epochs), ("accumulation", accumulation), ("train_batches", len(train_batches))):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    windows = [train_batches[start : start + accumulation] for start in range(0, len(train_batches), accumulation)]
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in trainable if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=lr,
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, _warmup_then_decay(epochs * len(windows), warmup_ratio))
    history, best = [], None
    for epoch in range(1, epochs + 1):
        loss, tokens = 0.0, 0
        for window in windows:
            count = sum(_count(batch["labels"]).item() for batch in window)
            loss += count * train_step(model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)
            tokens += count
        result = evaluate(model, val_batches)
        if best is None or result["loss"] < min(entry["val_loss"] for entry in history):
            best = copy.deepcopy(model.state_dict())  # state_dict() alone refers to the live weights
        history.append(
            {
                "epoch": epoch,
                "train_loss": loss / tokens,
                "val_loss": result["loss"],
                "val_token_accuracy": result["token_accuracy"],
            }
        )
    model.load_state_dict(best)
    model.eval()
    return history


class SequenceClassifier(nn.Module):
    """A linear head on the mean of a backbone's hidden states.

    Attributes:
        backbone: called as backbone(input_ids, attention_mask), returns hidden states (B, T, D).
        classifier: nn.Linear from hidden_size to num_classes.
    """

    def __init__(self, backbone: nn.Module, hidden_size: int, num_classes: int):
        """Keep the backbone, make the head."""
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token ids and mask, each (B, T) -> logits (B, num_classes).

        The mean runs over real tokens alone, so padding changes nothing. A row of padding alone has
        the mean 0.
        """
        hidden = self.backbone(input_ids, attention_mask)
        hidden = hidden.masked_fill(attention_mask.unsqueeze(-1) == 0, 0.0)
        tokens = attention_mask.sum(dim=1, keepdim=True).clamp(min=1)
        return self.classifier(hidden.sum(dim=1) / tokens)


def _count(labels: torch.Tensor) -> torch.Tensor:
    """How many labels are scored. The first of a row never is: no position predicts it."""
    return (labels[:, 1:] != IGNORE_INDEX).sum()


def _warmup_then_decay(steps: int, warmup_ratio: float):
    """The factor of the learning rate for update k = 0, 1, …, as a function of k."""
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k: int) -> float:
        return k / warmup if k < warmup else (steps - k) / max(1, steps - warmup)

    return factor
