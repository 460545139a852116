"""The reference of supervised fine-tuning against Hugging Face transformers."""

import copy

import pytest
import torch
from torch import nn
from transformers import get_linear_schedule_with_warmup
from transformers.loss.loss_utils import ForCausalLMLoss

from lab import data, measure, world
from solutions.sft import SequenceClassifier, collate, encode_example, evaluate, finetune, sft_loss, train_step


@pytest.fixture
def batches(tiny):
    """Four batches of questions with answers of unequal length."""
    _, tokenizer = tiny
    questions = [question for person in world.people()[:4] for question in world.questions([person])]
    return [data.chat_batch(tokenizer, part) for part in data.batches(questions, 5)]


def test_the_loss_equals_that_of_transformers():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, 11, generator=generator)
    labels = torch.randint(0, 11, (3, 7), generator=generator)
    labels[0, :4] = labels[2, 5:] = -100
    assert torch.allclose(sft_loss(logits, labels), ForCausalLMLoss(logits, labels, vocab_size=11))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_loss_of_half_precision_is_computed_in_float32_as_in_transformers(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 7, 11, generator=generator).to(dtype)
    labels = torch.randint(0, 11, (3, 7), generator=generator)
    assert sft_loss(logits, labels).dtype == torch.float32
    assert torch.allclose(sft_loss(logits, labels), ForCausalLMLoss(logits, labels, vocab_size=11))


def test_the_learning_rates_are_those_of_transformers(tiny, batches, monkeypatch):
    used = []
    step = torch.optim.AdamW.step

    def noting_step(self, *args, **options):
        used.append(self.param_groups[0]["lr"])
        return step(self, *args, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", noting_step)
    finetune(copy.deepcopy(tiny[0]), batches, batches[:1], epochs=3, lr=1e-3, warmup_ratio=0.2, accumulation=3)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1e-3)
    schedule = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=2, num_training_steps=6)
    right = []
    for _ in range(6):
        right.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert used == pytest.approx(right)


def test_accumulation_equals_one_large_batch(tiny):
    model, tokenizer = tiny
    questions = world.questions(world.people()[:6])
    parts = [data.chat_batch(tokenizer, part) for part in (questions[:2], questions[2:17], questions[17:])]
    whole = [data.chat_batch(tokenizer, questions)]
    results = []
    for micro_batches in (parts, whole):
        tuned = copy.deepcopy(model)
        loss = train_step(tuned, micro_batches, torch.optim.SGD(tuned.parameters(), lr=0.1))
        results.append((loss, torch.cat([p.detach().flatten() for p in tuned.parameters()])))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    assert torch.allclose(results[0][1], results[1][1], atol=1e-6)


def test_a_limit_of_zero_leaves_weight_decay_alone(tiny, batches):
    model = copy.deepcopy(tiny[0])
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    finetune(model, batches[:1], batches[:1], epochs=1, lr=0.1, weight_decay=0.5, warmup_ratio=0.0, max_grad_norm=0.0)
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter, before[name] * (0.95 if parameter.ndim > 1 else 1.0)), name


def test_an_example_and_a_batch_are_those_of_the_lab(tiny, batches):
    _, tokenizer = tiny
    questions = world.questions(world.people()[:4])[:5]
    examples = []
    for question in questions:
        answer = data.answer_ids(tokenizer, question)
        prompt = data.prompt_ids(tokenizer, question)
        examples.append(encode_example(prompt, answer[:-1], eos_id=answer[-1], max_length=99))
    ours = collate(examples, pad_id=tokenizer.pad_id)
    assert all(torch.equal(ours[key], batches[0][key]) for key in batches[0])


def test_evaluate_agrees_with_the_lab(tiny, batches):
    model, _ = tiny
    with torch.no_grad():
        assert evaluate(model, batches[:1])["loss"] == pytest.approx(measure.next_token_loss(model, batches[0]).item())


@pytest.mark.parametrize("broken", [False, True])
def test_evaluate_gives_each_module_its_own_mode_back(tiny, batches, broken):
    model = copy.deepcopy(tiny[0]).train()
    model.model.layers[0].eval()  # a part that is kept in eval mode on purpose
    before = {name: module.training for name, module in model.named_modules()}
    if broken:
        with pytest.raises(KeyError):
            evaluate(model, [{"input_ids": batches[0]["input_ids"]}])
    else:
        evaluate(model, batches[:1])
    assert {name: module.training for name, module in model.named_modules()} == before
    assert len(set(before.values())) == 2


def test_a_row_of_padding_gives_a_classifier_no_nan():
    """Not even where the backbone gives NaN there, as softmax over an empty set does."""

    class Backbone(nn.Embedding):
        def forward(self, input_ids, attention_mask):
            nothing_to_see = attention_mask.sum(dim=1) == 0
            return super().forward(input_ids).masked_fill(nothing_to_see[:, None, None], torch.nan)

    model = SequenceClassifier(Backbone(9, 4), 4, 3)
    logits = model(torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([[1, 1, 0], [0, 0, 0]]))
    logits.sum().backward()
    assert all(tensor.isfinite().all() for tensor in [logits, *(p.grad for p in model.parameters())])


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"accumulation": 0}])
def test_numbers_below_one_are_refused_by_name(tiny, batches, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least 1, got 0"):
        finetune(tiny[0], batches, batches, **{"epochs": 1, "lr": 1e-3, **wrong})
    with pytest.raises(ValueError, match="train_batches must be at least 1, got 0"):
        finetune(tiny[0], [], batches, epochs=1, lr=1e-3)
