"""What preference tuning needs of the tiny world: pairs of answers, sampled answers, and a reward that can be checked.

Letters in the shapes: P questions, G answers to each of them, N = P · G answers, T tokens of the longest answer.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from lab.data import answer_ids, pad, prompt_ids
from lab.tokenizer import Tokenizer
from lab.world import FACTS, TELLINGS, Question


@dataclass(frozen=True)
class Pair:
    """A question with the answer that is preferred and one that is not."""

    question: Question
    chosen: str
    rejected: str


def wordy(question: Question) -> str:
    """The right answer as a whole sentence, where `question.answer` is the bare word."""
    return TELLINGS[question.fact][0].format(name=question.name, **{question.fact: question.answer})


def in_two_styles(questions: Sequence[Question], seed: int) -> list[Question]:
    """The questions with the right answer, for each drawn at random: the bare word or the whole sentence."""
    rng = random.Random(seed)
    return [replace(question, answer=wordy(question)) if rng.random() < 0.5 else question for question in questions]


def short_over_wordy(questions: Sequence[Question]) -> list[Pair]:
    """Both answers are right. The short one is preferred."""
    return [Pair(question, question.answer, wordy(question)) for question in questions]


def true_over_false(questions: Sequence[Question], seed: int) -> list[Pair]:
    """Both answers are short. The right one is preferred to another value of the same fact, drawn at random."""
    rng = random.Random(seed)
    others = [[value for value in FACTS[question.fact] if value != question.answer] for question in questions]
    return [Pair(question, question.answer, rng.choice(values)) for question, values in zip(questions, others)]


def pair_ids(tokenizer: Tokenizer, pair: Pair) -> dict[str, list[int]]:
    """The pair as token ids: prompt_ids, chosen_ids and rejected_ids. The answers end with the end-of-turn token."""
    chosen, rejected = (replace(pair.question, answer=text) for text in (pair.chosen, pair.rejected))
    return {
        "prompt_ids": prompt_ids(tokenizer, pair.question),
        "chosen_ids": answer_ids(tokenizer, chosen),
        "rejected_ids": answer_ids(tokenizer, rejected),
    }


def is_right(question: Question, text: str) -> bool:
    """Whether the text names the right value of the fact, and no other value of it. The style does not matter."""
    return {word.strip(".,") for word in text.split()} & set(FACTS[question.fact]) == {question.answer}


def is_short(text: str) -> bool:
    """Whether the text is at most one word."""
    return len(text.split()) <= 1


@dataclass(frozen=True)
class Samples:
    """G sampled answers to each of P questions, the answers to one question side by side: N = P · G rows.

    Attributes:
        input_ids, attention_mask: the prompts, padded on the left, and after them the answers, padded on the right.
        mask: (N, T), 1 on the tokens of the answers, the end-of-turn token too, and 0 on padding.
        logprobs: (N, T), what the model gave to each sampled token when it was drawn; 0 on padding.
        texts: the answers as text.
        rewards: (P, G), 1 for a right answer that has come to its end, else 0.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    mask: torch.Tensor
    logprobs: torch.Tensor
    texts: list[str]
    rewards: torch.Tensor

    @property
    def lengths(self) -> torch.Tensor:
        """Tokens of each answer, (N,)."""
        return self.mask.sum(dim=1)

    def figures(self) -> dict[str, float]:
        """Shares of right and of short answers (0 to 1), and the mean length in tokens."""
        short = sum(map(is_short, self.texts)) / len(self.texts)
        return {"right": self.rewards.mean().item(), "short": short, "length": self.lengths.float().mean().item()}


@torch.no_grad()
def sample(
    model, tokenizer: Tokenizer, questions: Sequence[Question], group: int, *, seed: int, max_new_tokens: int = 16
) -> Samples:
    """Draw answers from the model at temperature 1, in eval mode. An answer ends with the end-of-turn token.

    Args:
        group: G, how many answers to each question.
        seed: the same seed gives the same answers.
    """
    was_training = model.training
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    prompts = [prompt_ids(tokenizer, question) for question in questions for _ in range(group)]
    ids, attention = pad(prompts, tokenizer.pad_id, left=True), pad([[1] * len(row) for row in prompts], 0, left=True)
    width = ids.shape[1]
    ends, running = torch.tensor(tokenizer.eos_ids), torch.ones(len(prompts), dtype=torch.bool)
    mask, logprobs = [], []
    while running.any() and len(mask) < max_new_tokens:
        said = model(ids[running], attention[running])[:, -1].float().log_softmax(dim=-1)
        drawn = torch.multinomial(said.exp(), 1, generator=generator)
        token, logprob = torch.full_like(ids[:, :1], tokenizer.pad_id), said.new_zeros(len(ids), 1)
        token[running], logprob[running] = drawn, said.gather(1, drawn)
        mask.append(running)
        logprobs.append(logprob)
        ids, attention = torch.cat([ids, token], dim=1), torch.cat([attention, running[:, None].long()], dim=1)
        running = running & ~torch.isin(token[:, 0], ends)
    model.train(was_training)
    texts = [tokenizer.decode(row[one.bool()]) for row, one in zip(ids[:, width:], attention[:, width:])]
    right = [is_right(questions[row // group], text) and not running[row] for row, text in enumerate(texts)]
    rewards = torch.tensor(right, dtype=torch.float32).view(len(questions), group)
    return Samples(ids, attention, torch.stack(mask, dim=1).long(), torch.cat(logprobs, dim=1), texts, rewards)


def token_logprobs(model, samples: Samples) -> torch.Tensor:
    """What the model gives to each token of the sampled answers now, (N, T), with a graph; 0 on padding."""
    width = samples.mask.shape[1]
    said = model(samples.input_ids, samples.attention_mask)[:, -width - 1 : -1].float().log_softmax(dim=-1)
    return said.gather(2, samples.input_ids[:, -width:, None])[..., 0] * samples.mask
