"""From texts and questions to batches of tensors."""

import os
import re

import torch

from lab.tokenizer import Tokenizer
from lab.world import Question

IGNORE_INDEX = -100  # a label that the loss leaves out, as in PyTorch and Hugging Face


def pad(rows: list[list[int]], value: int, *, left: bool = False) -> torch.Tensor:
    """Rows of unequal length -> one (B, T) long tensor, filled up with `value`."""
    width = max(len(row) for row in rows)
    fill = [[value] * (width - len(row)) for row in rows]
    return torch.tensor([f + row if left else row + f for row, f in zip(rows, fill)], dtype=torch.long)


def batch_of(inputs: list[list[int]], labels: list[list[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """input_ids, attention_mask and labels, each (B, T) long, padded on the right."""
    return {
        "input_ids": pad(inputs, pad_id),
        "attention_mask": pad([[1] * len(row) for row in inputs], 0),
        "labels": pad(labels, IGNORE_INDEX),
    }


def text_batch(tokenizer: Tokenizer, texts: list[str]) -> dict[str, torch.Tensor]:
    """Plain texts, as in pretraining: every token is a target, the end of the text too."""
    rows = [[*tokenizer.encode(text), tokenizer.end_of_text_id] for text in texts]
    return batch_of(rows, rows, tokenizer.pad_id)


def echo(tokenizer: Tokenizer, text: str) -> str:
    """A chat in which the assistant repeats what the user says."""
    return tokenizer.chat([{"role": "user", "content": text}, {"role": "assistant", "content": text}])


def prompt_ids(tokenizer: Tokenizer, question: Question) -> list[int]:
    """The question in chat form, up to the point where the assistant begins to speak."""
    messages = [{"role": "user", "content": question.prompt}]
    return tokenizer.encode(tokenizer.chat(messages, add_generation_prompt=True))


def answer_ids(tokenizer: Tokenizer, question: Question) -> list[int]:
    """What the assistant should say after the prompt: the answer and the end of the turn."""
    _, labels = chat_example(tokenizer, _dialogue(question))
    return [label for label in labels if label != IGNORE_INDEX]


def chat_batch(tokenizer: Tokenizer, questions: list[Question]) -> dict[str, torch.Tensor]:
    """Questions with their answers, as in instruction tuning.

    The prompt is read, but only the answer and its end-of-turn token are targets.
    """
    return dialogue_batch(tokenizer, [_dialogue(question) for question in questions])


def _dialogue(question: Question) -> list[dict]:
    return [{"role": "user", "content": question.prompt}, {"role": "assistant", "content": question.answer}]


def dialogue_batch(tokenizer: Tokenizer, dialogues: list[list[dict]], **variables) -> dict[str, torch.Tensor]:
    """Dialogues with system, tool and several assistant turns. What the assistant says is a target, in each of its turns."""
    examples = [chat_example(tokenizer, messages, **variables) for messages in dialogues]
    return batch_of(*map(list, zip(*examples)), tokenizer.pad_id)


# --- which tokens of a chat are targets ---------------------------------------------------------


def chat_example(tokenizer: Tokenizer, messages: list[dict], **variables) -> tuple[list[int], list[int]]:
    """The token ids of a dialogue, and its labels: the assistant's turns up to their end tokens, IGNORE_INDEX elsewhere.

    A template that marks what the assistant says, with {% generation %}, is taken at its word. Else the text is compared
    with the prompt of each turn.

    Args:
        variables: what the template knows besides, such as `tools`.

    Raises:
        ValueError: nothing would be learned of it. The message names the dialogue.
        ChatError: the template refuses it.
    """
    marked = tokenizer.marked(messages, **variables)
    if marked:
        ids, marks = marked
    else:
        ids, marks = _compared(tokenizer, messages, variables)
    labels = [id if mark else IGNORE_INDEX for id, mark in zip(ids, marks)]
    if all(label == IGNORE_INDEX for label in labels[1:]):  # the first is predicted by nothing
        raise ValueError(
            f"Nothing would be learned of the dialogue {str(messages)[:200]}: its chat template leaves no token of the assistant. "
            "Is there an assistant's turn, and does the template show it?"
        )
    return ids, labels


def _compared(tokenizer: Tokenizer, messages: list[dict], variables: dict) -> tuple[list[int], list[bool]]:
    whole = tokenizer.chat(messages, **variables)
    turns = [index for index, message in enumerate(messages) if message.get("role") == "assistant"]
    spans = [_span(tokenizer, messages, turn, whole, variables) for turn in turns]
    try:
        ids, places = tokenizer.encode_with_places(whole)
    except NotImplementedError:  # a tokenizer that does not tell places: the pieces between the borders, one by one
        ids, places = _by_pieces(tokenizer, whole, spans)
    marks = [any(first < end and start < last for start, end in spans) for first, last in places]
    return ids, _up_to_the_ends(ids, marks, tokenizer.eos_ids)


def _span(tokenizer: Tokenizer, messages: list[dict], turn: int, whole: str, variables: dict) -> tuple[int, int]:
    """From where to where in the text the assistant speaks in this turn: after the prompt, up to the next turn.

    Many templates render an earlier turn otherwise than the last one, or begin an answer with what the chat then leaves out, as
    "<think>". Then that part of the text counts which changes when the answer does.
    """
    prompt = tokenizer.chat(messages[:turn], add_generation_prompt=True, **variables) if turn else ""
    so_far = tokenizer.chat(messages[: turn + 1], **variables)
    if turn and whole.startswith(prompt) and whole.startswith(so_far):
        return len(prompt), len(so_far)
    content = str(messages[turn].get("content") or "")
    other = [*messages[:turn], {**messages[turn], "content": "\ue000" + content[::-1] + "\ue001"}, *messages[turn + 1 :]]
    changed = tokenizer.chat(other, **variables)
    start = len(os.path.commonprefix([whole, changed]))
    end = len(whole) - len(os.path.commonprefix([whole[start:][::-1], changed[start:][::-1]]))
    start = len(prompt) if turn and whole.startswith(prompt) else start
    rest = re.match(r"\s*", whole[end:]).end()
    closing = next((token for token in map(tokenizer.token, tokenizer.eos_ids) if whole.startswith(token, end + rest)), "")
    return start, end + rest + len(closing) if closing else end


def _by_pieces(tokenizer: Tokenizer, whole: str, spans: list[tuple[int, int]]) -> tuple[list[int], list[tuple[int, int]]]:
    ids, places, borders = [], [], sorted({0, len(whole), *(border for span in spans for border in span)})
    for start, end in zip(borders, borders[1:]):
        piece = tokenizer.encode(whole[start:end])
        ids += piece
        places += [(start, end)] * len(piece)
    return ids, places


def _up_to_the_ends(ids: list[int], marks: list[bool], eos_ids: list[int]) -> list[bool]:
    """The marks without what follows the end token of a turn, such as the line end of many templates: no model ever says it."""
    kept, ended = list(marks), False
    for place, (id, mark) in enumerate(zip(ids, marks)):
        ended = ended and mark  # a turn that ended, up to where its marks end
        kept[place] = mark and not ended
        ended = ended or (mark and id in eos_ids)
    return kept


def batches(items: list, size: int, *, seed: int | None = None) -> list[list]:
    """Slices of `size` items, shuffled first if there is a seed. The last slice may be short."""
    if seed is not None:
        order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed))
        items = [items[i] for i in order.tolist()]
    return [items[start : start + size] for start in range(0, len(items), size)]
