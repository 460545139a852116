"""The reference of preference tuning against TRL's own loss functions, and against what its formulas promise."""

import copy
import math
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch

from solutions.lora import inject_lora, lora_state_dict
from solutions.preference import (
    dpo_loss,
    group_advantages,
    grpo_loss,
    preference_batch,
    reference_logprobs,
    sequence_logprobs,
    train_dpo,
)

needs_trl = "TRL is not installed: pip install -r requirements-real.txt -c constraints.txt."


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- TRL ----------------------------------------------------------------------------------------


def stand_in(**settings) -> SimpleNamespace:
    """What a loss function of TRL asks its trainer for, on one device and without accumulation."""
    accelerator = SimpleNamespace(
        device="cpu",
        gather=lambda tensor: tensor,
        gather_for_metrics=lambda tensor: tensor,
        reduce=lambda tensor, reduction: tensor,
    )
    trainer = SimpleNamespace(
        accelerator=accelerator,
        aux_loss_enabled=False,
        _total_train_tokens=0,
        _tp_size=1,
        _metrics={"train": defaultdict(list), "eval": defaultdict(list)},
        **settings,
    )
    trainer.model = SimpleNamespace(training=True)
    return trainer


def trl_dpo(pairs, policy, reference, **settings) -> torch.Tensor:
    """The loss of TRL's DPOTrainer on a batch.

    Args:
        policy, reference: log-probabilities of the tokens from the second on, (2B, T - 1).
    """
    trainer_class = pytest.importorskip("trl", reason=needs_trl).DPOTrainer
    trainer = stand_in(ld_alpha=None, precompute_ref_logps=True, f_divergence_type="reverse_kl", loss_weights=[1.0], use_weighting=False, **settings)
    mask = (pairs["labels"] != -100).long()
    chosen, rejected = (reference * mask[:, 1:]).sum(dim=1).chunk(2)
    inputs = {"input_ids": pairs["input_ids"], "attention_mask": pairs["attention_mask"], "completion_mask": mask}
    inputs |= {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}

    def model(**options):
        scored = policy * mask[:, 1:]
        return SimpleNamespace(log_probs=scored, entropy=scored.detach(), is_top1=scored > 0, mean_logits=scored.detach())

    return trainer_class._compute_loss(trainer, model, inputs, return_outputs=False)


PAIRS = [
    {"prompt_ids": [5, 6, 7], "chosen_ids": [8, 9, 2], "rejected_ids": [8, 2]},
    {"prompt_ids": [5], "chosen_ids": [3, 2], "rejected_ids": [9, 9, 9, 9, 2]},
    {"prompt_ids": [4, 4], "chosen_ids": [7, 2], "rejected_ids": [6, 2]},
]


@pytest.mark.parametrize("loss_type, smoothing", [("sigmoid", 0.0), ("robust", 0.0), ("aot", 0.2)])
def test_dpo_is_that_of_trl(loss_type, smoothing):
    # TRL's "sigmoid" has no smoothing. Its "aot" has that of conservative DPO, and sorts: for one pair there is nothing to sort.
    for pair in [[one] for one in PAIRS] if loss_type == "aot" else [PAIRS]:
        batch = preference_batch(pair, pad_id=0)
        scored = batch["labels"][:, 1:] != -100
        policy, reference = (numbers(*scored.shape, seed=seed).requires_grad_(seed == 1) for seed in (1, 2))
        theirs = trl_dpo(batch, policy, reference, loss_types=[loss_type], beta=0.3, label_smoothing=smoothing)
        chosen, rejected = (policy * scored).sum(dim=1).chunk(2)
        ours = dpo_loss(chosen, rejected, *(reference * scored).sum(dim=1).chunk(2), beta=0.3, label_smoothing=smoothing)["loss"]
        assert torch.allclose(ours, theirs, atol=1e-6)
        one, other = (torch.autograd.grad(loss, policy, retain_graph=True)[0] for loss in (ours, theirs))
        assert torch.allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("per, loss_type", [("token", "bnpo"), ("sequence", "grpo"), ("constant", "dr_grpo")])
@pytest.mark.parametrize("kl_coef", [0.0, 0.4])
def test_grpo_is_that_of_trl(per, loss_type, kl_coef):
    trainer_class = pytest.importorskip("trl", reason=needs_trl).GRPOTrainer
    now, old, reference = (0.3 * numbers(4, 6, seed=seed) - 2 for seed in range(3))
    mask, advantages = torch.ones(4, 6).tril(2).long(), numbers(4, seed=4)
    now.requires_grad_()
    trainer = stand_in(
        beta=kl_coef, loss_type=loss_type, epsilon_low=0.2, epsilon_high=0.2, top_entropy_quantile=1.0, max_completion_length=6,
        off_policy_mask_threshold=None, importance_sampling_level="token", use_vllm=False, current_gradient_accumulation_steps=1,
        _entropy_bonus_enabled=False, args=SimpleNamespace(delta=None, use_bias_correction_kl=False),
        _get_per_token_logps_and_entropies=lambda *arguments, **options: (now, torch.zeros(4, 6), None),
    )  # fmt: skip
    empty = torch.zeros(4, 0, dtype=torch.long)
    inputs = {"prompt_ids": empty, "prompt_mask": empty, "completion_ids": mask, "completion_mask": mask, "advantages": advantages}
    inputs |= {"old_per_token_logps": old, "ref_per_token_logps": reference}
    theirs = trainer_class._compute_loss(trainer, None, inputs)
    ours = grpo_loss(now, old, advantages, mask, kl_coef=kl_coef, reference_logprobs=reference, per=per)
    assert torch.allclose(ours, theirs, atol=1e-6)
    one, other = (torch.autograd.grad(loss, now, retain_graph=True)[0] for loss in (ours, theirs))
    assert torch.allclose(one, other, atol=1e-6)


# --- what the formulas promise --------------------------------------------------------------------


def test_the_gradient_of_dpo_is_that_of_the_paper():
    # Equation 7 of the paper and the line below: each pair is weighted by beta · σ(how much the reference is preferred).
    policy, reference = numbers(4, 5).requires_grad_(), numbers(4, 5, seed=1)
    result = dpo_loss(policy[0], policy[1], reference[0], reference[1], beta=0.7)
    result["loss"].backward()
    weight = 0.7 * torch.sigmoid(result["rejected_reward"] - result["chosen_reward"]) / 5
    assert torch.allclose(policy.grad[:2], torch.stack([-weight, weight]), atol=1e-6) and not policy.grad[2:].any()


def test_bradley_terry_with_these_rewards_gives_the_loss():
    policy, reference = numbers(2, 5), numbers(2, 5, seed=1)
    result = dpo_loss(*policy, *reference, beta=0.7)
    chance = 1 / (1 + torch.exp(result["rejected_reward"] - result["chosen_reward"]))  # that the chosen answer is preferred
    assert torch.allclose(result["loss"], -chance.log().mean(), atol=1e-6)


def test_standardised_rewards_have_no_mean_and_a_unit_deviation():
    advantages = group_advantages(numbers(3, 8), epsilon=0.0)
    assert torch.allclose(advantages.mean(dim=1), torch.zeros(3), atol=1e-6)
    assert torch.allclose(advantages.std(dim=1, correction=0), torch.ones(3), atol=1e-5)


def test_seven_equal_rewards_of_a_tenth_teach_nothing():
    assert not group_advantages(torch.full((1, 7), 0.1)).any()
    assert group_advantages(torch.tensor([[0.1] * 6 + [0.2]])).any()


def test_on_its_own_samples_grpo_is_the_policy_gradient():
    now, advantages, mask = numbers(3, 4).requires_grad_(), numbers(3, seed=1), torch.ones(3, 4)
    grpo_loss(now, now, advantages, mask).backward()
    assert torch.allclose(now.grad, -advantages[:, None].expand(3, 4) / 12, atol=1e-6)


# --- on the tiny model ----------------------------------------------------------------------------


@pytest.fixture
def policy(tiny):
    model = copy.deepcopy(tiny[0])
    inject_lora(model, ["q_proj", "v_proj"], rank=4, alpha=8, dropout=0.1)
    return model


@pytest.fixture(scope="module")
def batch(tiny) -> dict:
    tokenizer = tiny[1]
    pairs = [
        {"prompt_ids": tokenizer.encode(f"{name} lives in"), "chosen_ids": [*tokenizer.encode(city), 2], "rejected_ids": [2]}
        for name, city in (("Ada Moreau", " Lisbon"), ("Somebody", " Oslo and Rome"))
    ]
    return preference_batch(pairs, pad_id=tokenizer.pad_id)


def test_log_probabilities_are_those_of_the_model(policy, batch):
    policy.eval()
    with torch.no_grad():
        logits = policy(batch["input_ids"], batch["attention_mask"])
    found = sequence_logprobs(logits, batch["labels"])
    for row, length in enumerate(batch["attention_mask"].sum(dim=1).tolist()):
        scores = logits[row, : length - 1].log_softmax(dim=-1)
        scored = [t for t in range(length - 1) if batch["labels"][row, t + 1] != -100]
        alone = sum(scores[t, batch["input_ids"][row, t + 1]].item() for t in scored)
        assert math.isclose(found[row].item(), alone, rel_tol=1e-4)


def test_the_reference_is_the_model_without_its_adapter(policy, batch, tiny):
    with torch.no_grad():
        for factor in lora_state_dict(policy).values():
            factor.normal_(std=0.1)
        base = sequence_logprobs(tiny[0].eval()(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    assert torch.allclose(reference_logprobs(policy, batch), base, atol=1e-3)
    assert not torch.allclose(sequence_logprobs(policy.eval()(batch["input_ids"], batch["attention_mask"]), batch["labels"]), base)


def test_training_prefers_what_was_chosen(policy, batch):
    history = train_dpo(policy, [batch] * 8, lr=3e-3)
    assert math.isclose(history[0]["loss"], math.log(2), abs_tol=0.05)  # dropout alone parts the policy from the reference
    assert history[-1]["accuracy"] == 1.0 and history[-1]["margin"] > history[0]["margin"] + 0.1
    assert not policy.training
