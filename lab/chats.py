"""Which tokens of a chat are targets: what the assistant says in each of its turns, and the token that ends it.

A template may render a turn in any way: behind a header, with a thought, as a call of a tool, otherwise if later turns follow.
So the template itself is asked. A template with {% generation %} marks says what the assistant says. For all others, every text
of the dialogue gets a sign of its own, at its beginning and its end; where the signs come out, there the texts stand.
"""

import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from lab.tokenizer import ChatError

IGNORE_INDEX = -100  # a label that the loss leaves out, as in PyTorch and Hugging Face
SIGNS = range(0xF0000, 0xFFFFE)  # a plane that Unicode leaves to private use: characters that no text has
THOUGHTS = re.compile(r"(</?think>)")  # templates look for these in a text, and may cut it there
TEXTS = ("content", "reasoning_content", "reasoning", "thinking")


@dataclass
class Turn:
    """Where the assistant speaks in the text of a chat: from start to end, and the turn ends before the limit."""

    start: int
    end: int
    limit: int


def example(tokenizer, messages: list[dict], **variables) -> tuple[list[int], list[int]]:
    """The token ids of a dialogue, and its labels: what the assistant says, IGNORE_INDEX elsewhere.

    Args:
        variables: what the template knows besides, such as `tools`.

    Raises:
        ValueError: these are no messages, or nothing would be learned of them. The message names the dialogue.
        ChatError: the template refuses them.
    """
    _check(messages)
    marked = tokenizer.marked(messages, **variables)
    if marked:
        whole, spans = marked
        ids, places = _encoded(tokenizer, whole)
        scored = [any(first < end and start < last for start, end in spans) for first, last in places]
    else:
        whole = tokenizer.chat(messages, **variables)
        ids, places = _encoded(tokenizer, whole)
        scored = [False] * len(ids)
        for turn in _turns(tokenizer, messages, whole, variables):
            for token in _tokens(turn, ids, places, tokenizer):
                scored[token] = True
    labels = [id if score else IGNORE_INDEX for id, score in zip(ids, scored)]
    if all(label == IGNORE_INDEX for label in labels[1:]):  # the first is predicted by nothing
        raise ValueError(
            f"Nothing would be learned of the dialogue {_shown(messages)}: its chat template leaves no token of the assistant. "
            "Is there an assistant's turn, and does the template show it?"
        )
    return ids, labels


def _check(messages) -> None:
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise ValueError(f"A dialogue is a list of messages {{'role': …, 'content': …}}, not {_shown(messages)}.")


def _shown(messages) -> str:
    text = str(messages)
    return text if len(text) < 200 else f"{text[:200]} …"


def _encoded(tokenizer, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Token ids and the places of each. Where a tokenizer tells no places, those up to which the same ids come."""
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise ValueError(f"The text holds half of a character, which no file can hold: {text.encode('utf-8', 'replace').decode()[:200]!r}")
    try:
        return tokenizer.encode_with_places(text)
    except NotImplementedError:
        ids, ends, reached = tokenizer.encode(text), [], 0
        for count in range(1, len(text) + 1):
            known = tokenizer.encode(text[:count])
            while reached < len(ids) and known[: reached + 1] == ids[: reached + 1]:
                ends.append(count)
                reached += 1
        ends += [len(text)] * (len(ids) - reached)
        return ids, list(zip([0, *ends], ends))


# --- where the assistant speaks -----------------------------------------------------------------


def _turns(tokenizer, messages: list[dict], whole: str, variables: dict) -> list[Turn]:
    """The turns of the assistant that the template shows."""
    is_assistant = [message.get("role") == "assistant" for message in messages]
    if not any(is_assistant):
        return []

    def render(messages: list[dict], **more) -> str:
        return tokenizer.chat(messages, **more, **variables)

    for signed in (lambda k: True, lambda k: is_assistant[k]):
        places = _places(render, messages, whole, signed)
        if places is not None:
            break
    else:
        raise ValueError(f"The chat template changes with the texts, so it cannot be told what of {_shown(messages)} is the assistant's.")
    header, turns = _header(render, messages), []
    for k, (first, last) in places.items():
        if is_assistant[k]:
            floor = max((end for other, (_, end) in places.items() if other != k and end <= first), default=0)
            limit = min((start for other, (start, _) in places.items() if other != k and start >= last), default=len(whole))
            start = _after(header, whole, floor, first) if header else _without_header(render, messages, k, whole, floor, first)
            turns.append(Turn(start, last, limit))
    return turns


def _places(render: Callable, messages: list[dict], whole: str, signed: Callable[[int], bool]) -> dict[int, tuple[int, int]] | None:
    """By message, where its texts begin and end in the chat. None if signs in the texts change more than that."""
    signs = map(chr, SIGNS)
    owners: dict[str, int] = {}

    def sign_of(k: int) -> Callable[[], str]:
        def sign() -> str:
            owners[one := next(signs)] = k
            return one

        return sign

    with_signs = [_signed(message, sign_of(k)) if signed(k) else message for k, message in enumerate(messages)]
    try:
        rendered = render(with_signs)
    except ChatError:
        return None
    plain, found, seen = [], {}, Counter()
    for character in rendered:
        if character not in owners:
            plain.append(character)
            continue
        seen[character] += 1
        if seen[character] <= 2:  # a template may show a text again, such as a tool's name above its result
            k = owners[character]
            first, _ = found.get(k, (len(plain), 0))
            found[k] = first, len(plain)
    return found if "".join(plain) == whole else None


def _signed(message: dict, sign: Callable[[], str]) -> dict:
    """The message with a new sign before and behind each of its texts."""
    texts = {name: _signed_text(message[name], sign) for name in TEXTS if message.get(name)}
    if message.get("tool_calls"):
        texts["tool_calls"] = [_signed_call(call, sign) for call in message["tool_calls"]]
    elif not texts.get("content"):
        texts["content"] = sign()  # an empty answer, of which the end is learned
    return {**message, **texts}


def _signed_text(text, sign: Callable[[], str]):
    """The text with signs around its words, and around those before and behind a thought; its outer spaces stay outside."""
    if isinstance(text, list):  # parts, of which some are texts
        return [{**p, "text": _signed_text(p["text"], sign)} if isinstance(p, dict) and p.get("text") else p for p in text]
    if not isinstance(text, str):
        return text
    parts = (part if THOUGHTS.fullmatch(part) or not part.strip() else _between(part, sign()) for part in THOUGHTS.split(text))
    signed = "".join(parts)
    return signed if signed != text else text + sign()  # blanks alone, or a thought without words: the end is learned


def _between(text: str, sign: str) -> str:
    words = text.strip()
    before, _, behind = text.partition(words)
    return f"{before}{sign}{words}{sign}{behind}"


def _signed_call(call, sign: Callable[[], str]):
    """A call with signs around its name and around the texts of its arguments."""
    if not isinstance(call, dict):
        return call
    if isinstance(call.get("function"), dict):
        return {**call, "function": _signed_call(call["function"], sign)}
    return {**call, **{name: _signed_leaves(call[name], sign) for name in ("name", "arguments") if name in call}}


def _signed_leaves(value, sign: Callable[[], str]):
    if isinstance(value, dict):
        return {key: _signed_leaves(item, sign) for key, item in value.items()}
    if isinstance(value, list):
        return [_signed_leaves(item, sign) for item in value]
    return _signed_text(value, sign)


def _header(render: Callable, messages: list[dict]) -> str:
    """What the generation prompt adds, such as "<|im_start|>assistant\\n". Empty if the template knows none."""
    asked = messages if messages[-1].get("role") in ("user", "tool") else [*messages, {"role": "user", "content": "x"}]
    try:
        prompt, without = render(asked, add_generation_prompt=True), render(asked)
    except ChatError:
        return ""
    return prompt[len(os.path.commonprefix([prompt, without])) :]


def _after(header: str, whole: str, floor: int, first: int) -> int:
    """Where the turn begins: behind the last header before its texts, or else where these begin.

    The prompt may open a thought that the chat does not have. So the header may also end where a new tag begins.
    """
    ends = [place for place in range(len(header), 0, -1) if not header[place:].strip() or header[place:].lstrip()[0] in "<["]
    for end in ends:
        place = whole.rfind(header[:end], floor, first)
        if place >= 0:
            return place + end
    return first


def _without_header(render: Callable, messages: list[dict], k: int, whole: str, floor: int, first: int) -> int:
    """Where a turn begins whose template has no header: before a plain answer there stands the same, up to the call of a tool."""
    if not k or not messages[k].get("tool_calls"):
        return first
    ask, answer = map(chr, SIGNS[:2])
    asked = _signed(messages[k - 1], lambda: ask)
    try:
        plain = render([*messages[: k - 1], asked, {"role": "assistant", "content": answer}])
    except ChatError:
        return first
    between = plain.rpartition(ask)[2].partition(answer)[0]
    return floor + len(os.path.commonprefix([between, whole[floor:first]]))


def _tokens(turn: Turn, ids: list[int], places: list[tuple[int, int]], tokenizer) -> list[int]:
    """The tokens of a turn by number, its end token included: no model says what a template writes behind it."""
    spoken = [token for token, (first, last) in enumerate(places) if first < turn.end and turn.start < last]
    behind = [token for token, (first, _) in enumerate(places) if turn.end <= first < turn.limit]
    for ends in (tokenizer.eos_ids, tokenizer.special_ids):
        end = next((number for number, token in enumerate(behind) if ids[token] in ends), None)
        if end is not None:
            return spoken + behind[: end + 1]
    return spoken
