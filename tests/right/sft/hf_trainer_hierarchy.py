# RIGHT sft: Hugging Face Trainer-like hierarchy (TrainingArguments, TrainerState, callbacks), transformers schedule imported lazily
from __future__ import annotations

import copy
import logging
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Optional, Union

import torch
from torch import nn

logger = logging.getLogger(__name__)

IGNORE_INDEX = -100


def encode_example(prompt_ids: List[int], response_ids: List[int], *, eos_id: int, max_length: int) -> Dict[str, List[int]]:
    input_ids = list(prompt_ids)
    labels = [IGNORE_INDEX] * len(input_ids)
    completion = list(response_ids) + [eos_id]
    input_ids.extend(completion)
    labels.extend(completion)

    if len(input_ids) > max_length:
        keep = max(0, max_length)
        input_ids, labels = input_ids[:keep], labels[:keep]

    if set(labels) <= {IGNORE_INDEX}:
        raise ValueError(
            f"After truncation to `max_length`={max_length} no label is left: the prompt has {len(prompt_ids)} tokens. "
            "Use a `max_length` greater than the length of the prompt."
        )
    return {"input_ids": input_ids, "labels": labels}


@dataclass
class DataCollatorForSFT:
    """Pads dynamically to the longest example of the batch, on the right."""

    pad_token_id: int
    label_pad_token_id: int = IGNORE_INDEX
    return_tensors: str = "pt"

    def __call__(self, features: List[Dict[str, List[int]]]) -> Dict[str, torch.Tensor]:
        if not features:
            raise ValueError("Expected `examples` to be a non-empty list, got an empty one.")
        max_len = max(len(feature["input_ids"]) for feature in features)
        batch: Dict[str, List[List[int]]] = {"input_ids": [], "attention_mask": [], "labels": []}
        for feature in features:
            difference = max_len - len(feature["input_ids"])
            batch["input_ids"].append(list(feature["input_ids"]) + [self.pad_token_id] * difference)
            batch["attention_mask"].append([1] * len(feature["input_ids"]) + [0] * difference)
            batch["labels"].append(list(feature["labels"]) + [self.label_pad_token_id] * difference)
        return {key: torch.tensor(value, dtype=torch.int64) for key, value in batch.items()}


def collate(examples, *, pad_id):
    return DataCollatorForSFT(pad_token_id=pad_id)(examples)


def fixed_cross_entropy(source: torch.Tensor, target: torch.Tensor, num_items_in_batch: Optional[int] = None) -> torch.Tensor:
    """Like `transformers.loss.loss_utils.fixed_cross_entropy`: the sum divided by `num_items_in_batch`."""
    loss = nn.functional.cross_entropy(source, target, ignore_index=IGNORE_INDEX, reduction="sum")
    if num_items_in_batch is None:
        num_items_in_batch = int((target != IGNORE_INDEX).sum())
    return loss / max(num_items_in_batch, 1)


def for_causal_lm_loss(logits: torch.Tensor, labels: torch.Tensor, num_items_in_batch: Optional[int] = None) -> torch.Tensor:
    # Upcast to float if we need to compute the loss to avoid potential precision issues
    logits = logits.float()
    # Pad the labels on the right instead of slicing the logits, as transformers does
    labels = nn.functional.pad(labels, (0, 1), value=IGNORE_INDEX)
    shift_labels = labels[..., 1:].contiguous()
    return fixed_cross_entropy(logits.reshape(-1, logits.size(-1)), shift_labels.reshape(-1).to(logits.device), num_items_in_batch)


def sft_loss(logits, labels):
    return for_causal_lm_loss(logits, labels)


def num_target_tokens(batches) -> int:
    return sum(int(batch["labels"][..., 1:].ne(IGNORE_INDEX).sum().item()) for batch in batches)


@dataclass
class TrainingArguments:
    num_train_epochs: int = 1
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup_ratio: float = 0.06
    gradient_accumulation_steps: int = 1
    max_grad_norm: Optional[float] = 1.0

    def __post_init__(self):
        # the names in the messages are those of `finetune`
        if self.num_train_epochs < 1:
            raise ValueError(f"`epochs` must be a positive integer, but is {self.num_train_epochs}")
        if self.gradient_accumulation_steps < 1:
            raise ValueError(f"`accumulation` must be a positive integer, but is {self.gradient_accumulation_steps}")


@dataclass
class TrainerState:
    epoch: int = 0
    global_step: int = 0
    max_steps: int = 0
    best_metric: Optional[float] = None
    log_history: List[Dict[str, Any]] = field(default_factory=list)


class TrainerCallback:
    def on_step_end(self, args, state, trainer):
        pass

    def on_evaluate(self, args, state, trainer, metrics):
        pass

    def on_train_end(self, args, state, trainer):
        pass


class LoadBestModelCallback(TrainerCallback):
    """`load_best_model_at_end=True`, `metric_for_best_model="loss"`, `greater_is_better=False`."""

    def __init__(self):
        self.checkpoint = None

    def on_evaluate(self, args, state, trainer, metrics):
        if state.best_metric is None or metrics["loss"] < state.best_metric:
            state.best_metric = metrics["loss"]
            self.checkpoint = copy.deepcopy(trainer.model.state_dict())

    def on_train_end(self, args, state, trainer):
        trainer.model.load_state_dict(self.checkpoint)
        trainer.model.eval()


class _ModeKeeper:
    """Context manager: the model in eval mode inside, every submodule back in its own mode after."""

    def __init__(self, model: nn.Module):
        self.model = model

    def __enter__(self):
        self.training_flags = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        return self.model

    def __exit__(self, *_):
        for module, flag in self.training_flags:
            module.training = flag


class BaseTrainer:
    def __init__(self, model: nn.Module):
        self.model = model

    def compute_loss(self, inputs, num_items_in_batch=None, return_outputs=False):
        logits = self.model(inputs["input_ids"], inputs["attention_mask"])
        loss = for_causal_lm_loss(logits, inputs["labels"], num_items_in_batch)
        return (loss, logits) if return_outputs else loss

    def training_step(self, inputs, num_items_in_batch) -> torch.Tensor:
        loss = self.compute_loss(inputs, num_items_in_batch=num_items_in_batch)
        loss.backward()
        return loss.detach()

    def optimizer_update(self, micro_batches, optimizer, lr_scheduler, max_grad_norm) -> float:
        num_items_in_batch = num_target_tokens(micro_batches)
        if num_items_in_batch == 0:
            raise ValueError(
                f"`micro_batches` ({len(micro_batches)} of them) contain no target token; every shifted label is {IGNORE_INDEX}."
            )
        self.model.train()
        self.model.zero_grad(set_to_none=True)
        optimizer.zero_grad(set_to_none=True)
        tr_loss = 0.0
        for inputs in micro_batches:
            tr_loss += self.training_step(inputs, num_items_in_batch).item()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), max_grad_norm)
        optimizer.step()
        if lr_scheduler is not None:
            lr_scheduler.step()
        return tr_loss

    def evaluation_loop(self, dataloader) -> Dict[str, float]:
        losses, num_correct, num_tokens = 0.0, 0, 0
        with _ModeKeeper(self.model), torch.no_grad():
            for inputs in dataloader:
                loss, logits = self.compute_loss(inputs, num_items_in_batch=1, return_outputs=True)
                losses += loss.item()
                labels = inputs["labels"][..., 1:]
                valid = labels != IGNORE_INDEX
                num_correct += int((logits[..., :-1, :].argmax(dim=-1)[valid] == labels[valid]).sum())
                num_tokens += int(valid.sum())
        if num_tokens == 0:
            raise ValueError("`batches` hold no label to evaluate on, at least one is required.")
        return {"loss": losses / num_tokens, "token_accuracy": num_correct / num_tokens, "num_tokens": num_tokens}


class SFTTrainer(BaseTrainer):
    def __init__(self, model, args: TrainingArguments, train_batches, val_batches, callbacks=()):
        super().__init__(model)
        if len(train_batches) == 0:
            raise ValueError("`train_batches` must not be empty, got a list of length 0.")
        self.args = args
        self.train_batches = train_batches
        self.val_batches = val_batches
        self.callbacks = list(callbacks)
        self.state = TrainerState()

    def create_optimizer(self):
        decay = {n for n, p in self.model.named_parameters() if p.dim() != 1}
        groups = [
            {
                "params": [p for n, p in self.model.named_parameters() if n in decay and p.requires_grad],
                "weight_decay": self.args.weight_decay,
            },
            {
                "params": [p for n, p in self.model.named_parameters() if n not in decay and p.requires_grad],
                "weight_decay": 0.0,
            },
        ]
        return torch.optim.AdamW(groups, lr=self.args.learning_rate)

    def create_scheduler(self, optimizer, num_training_steps):
        from transformers.optimization import get_linear_schedule_with_warmup  # heavy, hence not at the top

        num_warmup_steps = math.ceil(self.args.warmup_ratio * num_training_steps)
        return get_linear_schedule_with_warmup(optimizer, num_warmup_steps, num_training_steps)

    def _call(self, event, **kwargs):
        for callback in self.callbacks:
            getattr(callback, event)(self.args, self.state, self, **kwargs)

    def train(self):
        args, accumulation = self.args, self.args.gradient_accumulation_steps
        num_update_steps_per_epoch = math.ceil(len(self.train_batches) / accumulation)
        self.state.max_steps = num_update_steps_per_epoch * args.num_train_epochs
        optimizer = self.create_optimizer()
        scheduler = self.create_scheduler(optimizer, self.state.max_steps)
        for epoch in range(args.num_train_epochs):
            self.state.epoch = epoch + 1
            total_loss, total_tokens = 0.0, 0
            for update_step in range(num_update_steps_per_epoch):
                window = self.train_batches[update_step * accumulation : (update_step + 1) * accumulation]
                tokens = num_target_tokens(window)
                total_loss += tokens * self.optimizer_update(window, optimizer, scheduler, args.max_grad_norm)
                total_tokens += tokens
                self.state.global_step += 1
                self._call("on_step_end")
            metrics = self.evaluation_loop(self.val_batches)
            self.state.log_history.append(
                {
                    "epoch": self.state.epoch,
                    "train_loss": total_loss / total_tokens,
                    "val_loss": metrics["loss"],
                    "val_token_accuracy": metrics["token_accuracy"],
                    "global_step": self.state.global_step,
                }
            )
            self._call("on_evaluate", metrics=metrics)
            logger.info("%s", self.state.log_history[-1])
        self._call("on_train_end")
        return self.state.log_history


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    return BaseTrainer(model).optimizer_update(micro_batches, optimizer, scheduler, max_grad_norm)


def evaluate(model, batches):
    return BaseTrainer(model).evaluation_loop(batches)


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1, max_grad_norm=1.0):
    args = TrainingArguments(
        num_train_epochs=epochs,
        learning_rate=lr,
        weight_decay=weight_decay,
        warmup_ratio=warmup_ratio,
        gradient_accumulation_steps=accumulation,
        max_grad_norm=max_grad_norm,
    )
    logger.debug("training with %s", asdict(args))
    return SFTTrainer(model, args, train_batches, val_batches, callbacks=[LoadBestModelCallback()]).train()


class PreTrainedClassifierBase(nn.Module):
    pooler = None

    def pool(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def forward(self, input_ids, attention_mask):
        outputs = self.base_model(input_ids, attention_mask)
        return self.classifier(self.pool(outputs, attention_mask))


class SequenceClassifier(PreTrainedClassifierBase):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.num_labels = num_classes
        self.base_model = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def pool(self, hidden_states, attention_mask):
        padding = (attention_mask == 0).unsqueeze(-1)
        hidden_states = torch.masked_fill(hidden_states, padding, 0.0)
        lengths = attention_mask.to(hidden_states.dtype).sum(dim=1, keepdim=True)
        return hidden_states.sum(dim=1) / lengths.clamp(min=1.0)
