# WRONG sft: the zero for no label is logits.sum() * 0.0 in the dtype of the logits: inf * 0 = NaN when the sum overflows in float16 or a logit is -inf
"""
Supervised Fine-Tuning (SFT) Utilities
======================================

This module provides everything you need to fine-tune a causal language model on
prompt/response pairs:

1. ``encode_example``      - tokenized prompt + response -> features
2. ``collate``             - features -> padded batch
3. ``sft_loss``            - shifted cross-entropy
4. ``train_step``          - one optimizer update with gradient accumulation
5. ``evaluate``            - token-weighted validation metrics
6. ``finetune``            - the full training loop
7. ``SequenceClassifier``  - mean pooling classifier

Key design decisions:
    * Token-level normalization (no "mean of means" bug).
    * Robust handling of edge cases (no labels, padding == EOS, mixed precision).
"""

from __future__ import annotations

import math
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

IGNORE_INDEX: int = -100

Batch = Dict[str, Tensor]


def encode_example(
    prompt_ids: Sequence[int],
    response_ids: Sequence[int],
    *,
    eos_id: int,
    max_length: int,
) -> Dict[str, List[int]]:
    """
    Build ``input_ids`` and ``labels`` for a single training example.

    Args:
        prompt_ids: Token ids of the prompt (not learned).
        response_ids: Token ids of the response (learned).
        eos_id: Id of the end-of-sequence token (learned as well).
        max_length: Maximum number of tokens; longer examples are truncated on the right.

    Returns:
        A dictionary with the lists ``input_ids`` and ``labels``.

    Raises:
        ValueError: If truncation removes every label.
    """
    # Step 1: Concatenate prompt, response and EOS
    prompt: List[int] = list(prompt_ids)
    completion: List[int] = list(response_ids) + [eos_id]

    # Step 2: Validate that at least one completion token survives the truncation
    room_for_completion = max_length - len(prompt)
    if room_for_completion < 1:
        raise ValueError(
            f"`max_length` ({max_length}) must be greater than the prompt length ({len(prompt)}); "
            f"otherwise there would be no label left to learn from."
        )

    # Step 3: Mask the prompt and truncate
    input_ids = (prompt + completion)[:max_length]
    labels = ([IGNORE_INDEX] * len(prompt) + completion)[:max_length]
    return {"input_ids": input_ids, "labels": labels}


def collate(examples: Sequence[Dict[str, List[int]]], *, pad_id: int) -> Batch:
    """
    Right-pad a list of examples to the length of the longest one.

    Note:
        The attention mask is derived from the *lengths*, never from ``pad_id``, so that it stays
        correct when the padding token and the EOS token share the same id.
    """
    if not examples:
        raise ValueError("`examples` must be a non-empty list, but got 0 examples.")

    max_len = max(len(example["input_ids"]) for example in examples)

    input_ids: List[Tensor] = []
    attention_masks: List[Tensor] = []
    labels: List[Tensor] = []
    for example in examples:
        ids = torch.tensor(example["input_ids"], dtype=torch.long)
        lab = torch.tensor(example["labels"], dtype=torch.long)
        pad_amount = max_len - ids.numel()
        input_ids.append(F.pad(ids, (0, pad_amount), value=pad_id))
        labels.append(F.pad(lab, (0, pad_amount), value=IGNORE_INDEX))
        attention_masks.append(F.pad(torch.ones_like(ids), (0, pad_amount), value=0))

    return {
        "input_ids": torch.stack(input_ids),
        "attention_mask": torch.stack(attention_masks),
        "labels": torch.stack(labels),
    }


def _shift(logits: Tensor, labels: Tensor) -> Tuple[Tensor, Tensor]:
    """Align predictions with targets: position ``t`` predicts label ``t + 1``."""
    return logits[..., :-1, :].contiguous(), labels[..., 1:].contiguous()


def _num_targets(batch: Batch) -> int:
    """Count the number of target tokens of a batch."""
    return int((batch["labels"][..., 1:] != IGNORE_INDEX).sum().item())


def sft_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """
    Mean next-token cross-entropy over all labels that are not ``IGNORE_INDEX``.

    The computation is carried out in float32 to be numerically safe with half precision logits.
    """
    shift_logits, shift_labels = _shift(logits, labels)
    valid = shift_labels.ne(IGNORE_INDEX)

    # Edge case: no labels. Keep the autograd graph alive.
    if not bool(valid.any()):
        return logits.sum() * 0.0

    return F.cross_entropy(
        shift_logits.view(-1, shift_logits.size(-1)).float(),
        shift_labels.view(-1),
        ignore_index=IGNORE_INDEX,
        reduction="mean",
    )


def train_step(
    model: nn.Module,
    micro_batches: Sequence[Batch],
    optimizer: Optimizer,
    *,
    scheduler: Optional[object] = None,
    max_grad_norm: Optional[float] = 1.0,
) -> float:
    """
    Perform a single optimizer update over several micro-batches.

    Each micro-batch's *mean* loss is re-weighted by ``n_tokens / total_tokens`` so that the resulting
    gradient is identical to the one of a single large batch.
    """
    # 1. Count tokens first: nothing must change if there is nothing to learn
    token_counts = [_num_targets(batch) for batch in micro_batches]
    total_tokens = sum(token_counts)
    if total_tokens == 0:
        raise ValueError(
            f"`micro_batches` must contain at least one label different from {IGNORE_INDEX}, "
            f"but the {len(token_counts)} given micro-batches contain none."
        )

    # 2. Prepare
    model.train()
    optimizer.zero_grad(set_to_none=True)
    model.zero_grad(set_to_none=True)

    # 3. Accumulate gradients
    total_loss = 0.0
    for batch, num_tokens in zip(micro_batches, token_counts):
        if num_tokens == 0:
            continue
        logits = model(batch["input_ids"], batch["attention_mask"])
        loss = sft_loss(logits, batch["labels"])
        weight = num_tokens / total_tokens
        (loss * weight).backward()
        total_loss += loss.item() * weight

    # 4. Clip, update, schedule
    if max_grad_norm is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()

    return total_loss


def evaluate(model: nn.Module, batches: Iterable[Batch]) -> Dict[str, float]:
    """Compute the token-weighted loss and the token accuracy."""
    # Remember the mode of *every* submodule (some of them may be frozen in eval mode)
    training_states = {name: module.training for name, module in model.named_modules()}
    total_loss = 0.0
    total_correct = 0
    total_tokens = 0

    model.eval()
    try:
        with torch.inference_mode():
            for batch in batches:
                num_tokens = _num_targets(batch)
                if num_tokens == 0:
                    continue
                logits = model(batch["input_ids"], batch["attention_mask"])
                shift_logits, shift_labels = _shift(logits, batch["labels"])
                valid = shift_labels.ne(IGNORE_INDEX)

                total_loss += sft_loss(logits, batch["labels"]).item() * num_tokens
                total_correct += int((shift_logits.argmax(dim=-1).eq(shift_labels) & valid).sum().item())
                total_tokens += num_tokens
    finally:
        # Restore the modes even if the forward pass failed
        for name, module in model.named_modules():
            module.training = training_states[name]

    if total_tokens == 0:
        raise ValueError("`batches` must contain at least one label, but none was found.")

    return {
        "loss": total_loss / total_tokens,
        "token_accuracy": total_correct / total_tokens,
        "perplexity": math.exp(min(total_loss / total_tokens, 50.0)),
    }


def _build_optimizer(model: nn.Module, lr: float, weight_decay: float) -> Optimizer:
    """Create AdamW with two parameter groups: with and without weight decay."""
    decay_params: List[nn.Parameter] = []
    no_decay_params: List[nn.Parameter] = []
    for _, param in model.named_parameters():
        if not param.requires_grad:
            continue  # frozen
        if param.ndim == 1:
            no_decay_params.append(param)  # biases and norm weights
        else:
            decay_params.append(param)
    return AdamW(
        [
            {"params": decay_params, "weight_decay": weight_decay},
            {"params": no_decay_params, "weight_decay": 0.0},
        ],
        lr=lr,
    )


def _build_scheduler(optimizer: Optimizer, warmup_steps: int, total_steps: int) -> LambdaLR:
    """Linear warmup followed by linear decay (same as Hugging Face)."""

    def lr_lambda(current_step: int) -> float:
        if current_step < warmup_steps:
            return float(current_step) / float(max(1, warmup_steps))
        return max(0.0, float(total_steps - current_step) / float(max(1, total_steps - warmup_steps)))

    return LambdaLR(optimizer, lr_lambda)


def finetune(
    model: nn.Module,
    train_batches: Sequence[Batch],
    val_batches: Sequence[Batch],
    *,
    epochs: int,
    lr: float,
    weight_decay: float = 0.01,
    warmup_ratio: float = 0.06,
    accumulation: int = 1,
    max_grad_norm: Optional[float] = 1.0,
) -> List[Dict[str, float]]:
    """
    Fine-tune ``model`` and restore the weights of the best epoch.

    Returns:
        A list with one dictionary per epoch.
    """
    # --- Input validation -------------------------------------------------
    if epochs < 1:
        raise ValueError(f"`epochs` must be >= 1, got {epochs}.")
    if accumulation < 1:
        raise ValueError(f"`accumulation` must be >= 1, got {accumulation}.")
    if len(train_batches) == 0:
        raise ValueError("`train_batches` must contain at least one batch, got an empty list.")

    # --- Setup ------------------------------------------------------------
    updates_per_epoch = math.ceil(len(train_batches) / accumulation)
    total_steps = updates_per_epoch * epochs
    warmup_steps = math.ceil(warmup_ratio * total_steps)
    optimizer = _build_optimizer(model, lr, weight_decay)
    scheduler = _build_scheduler(optimizer, warmup_steps, total_steps)

    history: List[Dict[str, float]] = []
    best_val_loss = float("inf")
    best_state: Optional[Dict[str, Tensor]] = None

    # --- Training loop ----------------------------------------------------
    for epoch in range(1, epochs + 1):
        epoch_loss = 0.0
        epoch_tokens = 0

        for start in range(0, len(train_batches), accumulation):
            window = train_batches[start : start + accumulation]
            window_tokens = sum(_num_targets(batch) for batch in window)
            window_loss = train_step(
                model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm
            )
            epoch_loss += window_loss * window_tokens
            epoch_tokens += window_tokens

        val_metrics = evaluate(model, val_batches)
        history.append(
            {
                "epoch": epoch,
                "train_loss": epoch_loss / epoch_tokens,
                "val_loss": val_metrics["loss"],
                "val_token_accuracy": val_metrics["token_accuracy"],
            }
        )

        # Keep a copy of the best weights (strictly better, so the first one wins a tie)
        if best_state is None or val_metrics["loss"] < best_val_loss:
            best_val_loss = val_metrics["loss"]
            best_state = {key: value.detach().clone() for key, value in model.state_dict().items()}

    # --- Restore the best checkpoint -----------------------------------------
    assert best_state is not None
    model.load_state_dict(best_state)
    model.eval()
    return history


class SequenceClassifier(nn.Module):
    """Mean pooling over real tokens, followed by a linear classifier."""

    def __init__(self, backbone: nn.Module, hidden_size: int, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        # (B, T, D)
        hidden_states = self.backbone(input_ids, attention_mask)
        # (B, T, 1)
        mask = attention_mask.unsqueeze(-1).bool()
        # Use `where` instead of multiplication: NaN * 0 would still be NaN
        hidden_states = torch.where(mask, hidden_states, torch.zeros((), dtype=hidden_states.dtype, device=hidden_states.device))
        # (B, 1), at least one to avoid division by zero
        lengths = mask.sum(dim=1).clamp(min=1).to(hidden_states.dtype)
        pooled = hidden_states.sum(dim=1) / lengths
        return self.classifier(pooled)
