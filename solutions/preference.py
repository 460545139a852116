"""Preference tuning: which of two answers is better (DPO), and which of many (GRPO).

    DPO:   loss = -log σ(β (log π(chosen)/π_ref(chosen) - log π(rejected)/π_ref(rejected)))    arXiv 2305.18290, eq. 7
    GRPO:  advantage = (reward - mean of its group) / std of its group                         arXiv 2402.03300, section 4.1

The policy is a model with LoRA. With its adapter switched off the same model is the reference, so that no second copy is held.

Letters in the shapes: B pairs, T tokens, V vocabulary, P prompts, G answers to each prompt, N = P · G answers. A model is called as
model(input_ids, attention_mask) and returns logits (B, T, V). Names follow TRL.
"""

from collections.abc import Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from solutions.lora import LoRALinear

IGNORE_INDEX = -100  # the label of a token that is not scored, as in PyTorch and Hugging Face


def sequence_logprobs(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The log-probability of each row's answer: the sum over its scored tokens, in float32 at least.

    Args:
        logits: (B, T, V). Position t predicts token t + 1, so the label at position 0 is never scored.
        labels: (B, T) long; IGNORE_INDEX where a token is not scored.

    Returns:
        (B,). A row without a scored token gives 0, and still has a graph.
    """
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    return -F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORE_INDEX, reduction="none").sum(dim=1)


def preference_batch(pairs: Sequence[dict[str, list[int]]], *, pad_id: int) -> dict[str, torch.Tensor]:
    """One batch of pairs, padded on the right: the rows of the chosen answers, then the rejected ones.

    Args:
        pairs: dicts of prompt_ids, chosen_ids and rejected_ids. The answers end with EOS already;
            nothing is cut.
        pad_id: may be the id of EOS.

    Returns:
        input_ids, attention_mask (1 on tokens, 0 on padding) and labels (IGNORE_INDEX on the prompt and
        on padding), each (2B, T) long. With an empty prompt the first token of an answer is predicted
        from nothing, so it is not scored.

    Raises:
        ValueError: there are no pairs, an answer is empty, or the two answers of a pair are equal.
    """
    if not pairs:
        raise ValueError("pairs is empty: there is nothing to make a batch of")
    for number, pair in enumerate(pairs):
        for name in ("chosen_ids", "rejected_ids"):
            if not len(pair[name]):
                raise ValueError(f"pair {number}: {name} is empty")
        if list(pair["chosen_ids"]) == list(pair["rejected_ids"]):
            raise ValueError(f"pair {number}: chosen_ids and rejected_ids are equal, so neither is preferred")
    rows = [(list(pair["prompt_ids"]), list(pair[name])) for name in ("chosen_ids", "rejected_ids") for pair in pairs]
    columns = {
        "input_ids": ([[*prompt, *answer] for prompt, answer in rows], pad_id),
        "attention_mask": ([[1] * (len(prompt) + len(answer)) for prompt, answer in rows], 0),
        "labels": ([[*[IGNORE_INDEX] * len(prompt), *answer] for prompt, answer in rows], IGNORE_INDEX),
    }
    return {
        name: pad_sequence([torch.tensor(row) for row in values], batch_first=True, padding_value=filler)
        for name, (values, filler) in columns.items()
    }


def dpo_loss(
    policy_chosen: torch.Tensor,
    policy_rejected: torch.Tensor,
    reference_chosen: torch.Tensor,
    reference_rejected: torch.Tensor,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> dict:
    """The loss of DPO (arXiv 2305.18290, eq. 7), with the smoothing of conservative DPO.

        d = beta · ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))
        loss = mean of -(1 - ε) log σ(d) - ε log σ(-d)

    Args:
        policy_chosen and the others: log-probabilities of answers, (B,). No gradient flows into those
            of the reference.
        beta: how much a difference to the reference counts.
        label_smoothing: ε, the share of pairs whose labels are taken to be swapped.

    Returns:
        A dict of loss (a scalar with a graph), chosen_reward and rejected_reward (beta times the
        log-ratio to the reference, (B,), without a graph) and accuracy (the share of pairs whose chosen
        answer has the higher reward, a float).

    Raises:
        ValueError: beta is not above 0, or label_smoothing lies outside [0, 0.5).
    """
    _check_strength(beta, label_smoothing)
    chosen_reward = beta * (_float(policy_chosen) - _float(reference_chosen).detach())
    rejected_reward = beta * (_float(policy_rejected) - _float(reference_rejected).detach())
    margin = chosen_reward - rejected_reward
    # log σ(x) as one function: σ(-200) is 0 in float32, and its logarithm would be minus infinity.
    losses = -(1 - label_smoothing) * F.logsigmoid(margin) - label_smoothing * F.logsigmoid(-margin)
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_reward.detach(),
        "rejected_reward": rejected_reward.detach(),
        "accuracy": (chosen_reward > rejected_reward).float().mean().item(),
    }


def reference_logprobs(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """What `sequence_logprobs` gives for the model without its LoRA: in eval mode, no graph, (2B,).

    Every LoRALinear answers like its base. Layers that are merged are unmerged for that, and merged
    again. Afterwards every submodule has its own mode again, and the adapters are as before, also after
    an exception.

    Raises:
        ValueError: the model has no LoRALinear.
    """
    if not _lora_layers(model):
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    with _without_lora(model), torch.no_grad():
        return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])


def train_dpo(
    model: nn.Module,
    batches: Sequence[dict[str, torch.Tensor]],
    *,
    lr: float,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    max_grad_norm: float | None = 1.0,
) -> list[dict[str, float]]:
    """Tune a model with LoRA on batches of `preference_batch`, one update each, in the order given.

    The reference is the model without its LoRA, asked about all batches before the first update. The
    optimizer is AdamW over the trainable parameters, with betas 0.9 and 0.999, eps 1e-8, a constant
    learning rate and no weight decay. Old gradients are cleared. The model is in train mode while it
    trains, and in eval mode at the end.

    Args:
        max_grad_norm: the largest norm of all gradients together; None does not clip.

    Returns:
        For each update a dict of floats from its forward pass: loss, accuracy, margin (the mean of
        chosen_reward minus rejected_reward), chosen_logprob and rejected_logprob (the means of the
        policy's).

    Raises:
        ValueError: the model has no LoRALinear, one is merged, beta is not above 0, or label_smoothing
            lies outside [0, 0.5). Nothing is changed then.
    """
    _check_strength(beta, label_smoothing)
    layers = _lora_layers(model)
    if not layers or any(layer.merged for layer in layers):
        raise ValueError("model needs a LoRALinear, and none that is merged: the update of a merged layer cannot be trained")
    references = [reference_logprobs(model, batch) for batch in batches]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    model.train()
    history = []
    for batch, reference in zip(batches, references):
        optimizer.zero_grad()
        logprobs = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        chosen, rejected = logprobs.chunk(2)  # in the order of preference_batch
        result = dpo_loss(chosen, rejected, *reference.chunk(2), beta=beta, label_smoothing=label_smoothing)
        result["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(trained, max_grad_norm)
        optimizer.step()
        history.append(
            {
                "loss": result["loss"].item(),
                "accuracy": result["accuracy"],
                "margin": (result["chosen_reward"] - result["rejected_reward"]).mean().item(),
                "chosen_logprob": chosen.mean().item(),
                "rejected_logprob": rejected.mean().item(),
            }
        )
    model.eval()
    return history


def group_advantages(rewards: torch.Tensor, *, scale: bool = True, epsilon: float = 1e-4) -> torch.Tensor:
    """How much better each answer is than the mean of its group (arXiv 2402.03300, section 4.1).

    Args:
        rewards: (P, G), a row for each prompt; whole numbers are welcome.
        scale: whether to divide by the standard deviation of the row (that of the population, divided by
            G) plus epsilon.

    Returns:
        (P, G), without a graph. A row of equal rewards gives zeros exactly.

    Raises:
        ValueError: rewards has another number of dimensions, or a row has less than two answers.
    """
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}")
    rewards = _float(rewards.detach())
    advantages = rewards - rewards.mean(dim=1, keepdim=True)
    if scale:
        advantages = advantages / (rewards.std(dim=1, correction=0, keepdim=True) + epsilon)
    equal = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)  # their mean is off by rounding, which a small std would blow up
    return advantages.masked_fill(equal, 0.0)


def grpo_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    *,
    clip: float = 0.2,
    kl_coef: float = 0.0,
    reference_logprobs: torch.Tensor | None = None,
    per: str = "token",
) -> torch.Tensor:
    """The loss of GRPO (arXiv 2402.03300, eq. 3 and 4). For each token of an answer

        -min(ρ A, clamp(ρ, 1 - clip, 1 + clip) A) + kl_coef · (exp(r) - r - 1)

    with ρ = exp(logprobs - old_logprobs) and r = reference_logprobs - logprobs.

    Args:
        logprobs: of the sampled tokens, (N, T), the only input into which a gradient flows.
        old_logprobs: of the policy that sampled them, (N, T).
        advantages: (N,), one for each answer.
        mask: (N, T), 1 on the tokens of the answer and 0 elsewhere, of any dtype.
        reference_logprobs: (N, T); needed if kl_coef is above 0, else ignored.
        per: "token" is the mean over all tokens; "sequence" the mean over the tokens of each answer, then
            over the answers that have any; "constant" the sum over all tokens divided by N · T, padding
            included, so that no length is favoured.

    Returns:
        A scalar. An empty mask gives a zero that still has a graph.

    Raises:
        ValueError: per is none of the three, clip lies outside (0, 1), or kl_coef is above 0 and there is
            no reference.
    """
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"per must be 'token', 'sequence' or 'constant', got {per!r}")
    if not 0 < clip < 1:
        raise ValueError(f"clip must lie in (0, 1), got {clip}")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"kl_coef is {kl_coef}, so reference_logprobs is needed")
    mask = mask.bool()
    logprobs, advantages = _float(logprobs), _float(advantages).detach()[:, None]

    def over(other: torch.Tensor) -> torch.Tensor:
        """log(other / policy); 0 outside of the mask, where any number may stand and exp could overflow."""
        return (_float(other).detach() - logprobs).masked_fill(~mask, 0.0)

    ratio = torch.exp(-over(old_logprobs))
    losses = -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    if kl_coef > 0:
        r = over(reference_logprobs)
        losses = losses + kl_coef * (torch.expm1(r) - r)
    losses, lengths = losses * mask, mask.sum(dim=1)
    if per == "token":
        return losses.sum() / lengths.sum().clamp(min=1)
    if per == "sequence":
        return (losses.sum(dim=1) / lengths.clamp(min=1)).sum() / (lengths > 0).sum().clamp(min=1)
    return losses.sum() / max(mask.numel(), 1)


def _float(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in float32, or in its own dtype if that is wider."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _check_strength(beta: float, label_smoothing: float) -> None:
    if not beta > 0:
        raise ValueError(f"beta must be above 0, got {beta}")
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing must lie in [0, 0.5), got {label_smoothing}")


def _lora_layers(model: nn.Module) -> list[LoRALinear]:
    return [module for module in model.modules() if isinstance(module, LoRALinear)]


@contextmanager
def _without_lora(model: nn.Module):
    """The model in eval mode and with its LoRA switched off. At the end all is as before."""
    modes = {module: module.training for module in model.modules()}
    layers = _lora_layers(model)
    merged, scalings = [layer for layer in layers if layer.merged], [layer.scaling for layer in layers]
    try:
        for layer in merged:
            layer.unmerge()
        for layer in layers:
            layer.scaling = 0.0
        yield model.eval()
    finally:
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode  # train(mode) would set all that is inside, too
