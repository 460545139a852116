"""The pairs, the sampled answers and the reward of `lab.preferences`."""

import pytest
import torch

from lab import checkpoint, preferences, world


@pytest.fixture(scope="module")
def tiny():
    return checkpoint.load()


@pytest.fixture(scope="module")
def questions():
    return world.split()[1][:8]


def test_both_answers_of_a_style_pair_are_right_and_differ_in_style(questions):
    for pair in preferences.short_over_wordy(questions):
        assert preferences.is_right(pair.question, pair.chosen) and preferences.is_right(pair.question, pair.rejected)
        assert preferences.is_short(pair.chosen) and not preferences.is_short(pair.rejected)


def test_of_a_pair_of_facts_only_the_chosen_is_right(questions):
    pairs = preferences.true_over_false(questions, seed=0)
    assert pairs == preferences.true_over_false(questions, seed=0) != preferences.true_over_false(questions, seed=1)
    for pair in pairs:
        assert preferences.is_right(pair.question, pair.chosen)
        assert not preferences.is_right(pair.question, pair.rejected)


def test_an_answer_that_names_several_values_is_not_right(questions):
    question = questions[0]
    assert preferences.is_right(question, f"It is {question.answer}.")
    assert not preferences.is_right(question, " ".join(world.FACTS[question.fact]))
    assert not preferences.is_right(question, "")


def test_answers_in_token_ids_end_with_the_end_of_the_turn(tiny, questions):
    _, tokenizer = tiny
    ids = preferences.pair_ids(tokenizer, preferences.short_over_wordy(questions)[0])
    assert ids["chosen_ids"][-1] == ids["rejected_ids"][-1] == tokenizer.eos_id
    assert tokenizer.decode(ids["chosen_ids"]) == questions[0].answer


def test_samples_are_those_of_their_seed(tiny, questions):
    model, tokenizer = tiny
    first, again, other = (preferences.sample(model, tokenizer, questions, 4, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.input_ids, again.input_ids) and first.texts != other.texts
    assert first.rewards.shape == (8, 4) and len(first.texts) == len(first.mask) == 32


def test_the_kept_logprobs_are_those_of_the_model(tiny, questions):
    # a model that has never learned to answer: its answers have many lengths, so there is padding on both sides
    model, tokenizer = tiny
    samples = preferences.sample(model, tokenizer, questions, 4, seed=0)
    assert 0 < samples.mask.sum() < samples.mask.numel()
    assert torch.allclose(preferences.token_logprobs(model, samples), samples.logprobs, atol=1e-4)
    assert not samples.logprobs[samples.mask == 0].any()


def test_an_answer_ends_with_its_first_end_of_turn(tiny, questions):
    model, tokenizer = tiny
    samples = preferences.sample(model, tokenizer, questions, 4, seed=0, max_new_tokens=12)
    answers = samples.input_ids[:, -samples.mask.shape[1] :]
    for row, mask, length in zip(answers.tolist(), samples.mask.tolist(), samples.lengths.tolist()):
        assert mask == [1] * length + [0] * (len(mask) - length)
        assert tokenizer.eos_id not in row[: length - 1]
        assert row[length - 1] == tokenizer.eos_id or length == 12


def test_an_answer_that_was_cut_off_earns_nothing(tiny, questions):
    model, tokenizer = tiny
    samples = preferences.sample(model, tokenizer, questions, 16, seed=0, max_new_tokens=8)
    ended = samples.input_ids[:, -1].eq(tokenizer.eos_id) | (samples.lengths < 8)
    right = [preferences.is_right(questions[row // 16], text) for row, text in enumerate(samples.texts)]
    assert any(right) and not all(ended[torch.tensor(right)])
    assert samples.rewards.flatten().tolist() == (ended & torch.tensor(right)).float().tolist()


def test_questions_in_two_styles_have_right_answers_in_both(questions):
    styled = preferences.in_two_styles(questions, seed=0)
    assert {preferences.is_short(question.answer) for question in styled} == {True, False}
    assert all(preferences.is_right(question, told.answer) for question, told in zip(questions, styled))
