"""Tokenizers and chat templates as people have them: ids and texts are those of transformers, and the right tokens are learned."""

import json
import shutil

import pytest
from tokenizers import Tokenizer as FastTokenizer
from transformers import AutoTokenizer, ByT5Tokenizer

from lab import chats, checkpoint, data
from lab.pretrained_tokenizer import TransformersTokenizer
from lab.tokenizer import ChatError
from lab.world import Question
from tests.checkpoints import change

TURN = "{{ '<|' + m.role + '|>' + (m.content or '') + '<|end|>' }}"
EACH = "{% for m in messages %}" + TURN + "{% endfor %}"
ASK = "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
TOOLS = "{% if tools %}{{ '<|system|>' }}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{{ '<|end|>' }}{% endif %}"
CALLS = "{% for call in m.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}"
TEMPLATES = {
    "as it is": None,
    "as it is in words": EACH + ASK,
    "begins with a token": "{{ bos_token }}" + EACH + ASK,
    "ends with a token": "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + eos_token }}{% endfor %}" + ASK,
    "tools": TOOLS + "{% for m in messages %}{{ '<|' + m.role + '|>' + (m.content or '') }}" + CALLS + "{{ '<|end|>' }}{% endfor %}" + ASK,
    "the last turn otherwise": (
        "{% for m in messages %}{{ '<|' + m.role + '|>' }}{% if m.role == 'assistant' and loop.last %}{{ '<think></think>' }}{% endif %}"
        "{{ (m.content or '') + '<|end|>\n' }}{% endfor %}" + ASK
    ),
    "thinks, if it may": EACH + ASK + "{% if add_generation_prompt and enable_thinking is false %}{{ '<think></think>' }}{% endif %}",
    "the prompt opens a thought": EACH + "{% if add_generation_prompt %}{{ '<|assistant|><think>\n' }}{% endif %}",
    "marks the answers": (
        "{% for m in messages %}{{ '<|' + m.role + '|>' }}{% if m.role == 'assistant' %}{% generation %}{{ (m.content or '') + '<|end|>' }}"
        "{% endgeneration %}{% else %}{{ m.content + '<|end|>' }}{% endif %}{% endfor %}" + ASK
    ),
    "needs no user": "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% else %}{{ 'Help.' }}{% endif %}" + EACH + ASK,
}
SYSTEM = {"role": "system", "content": "Be short, <b>please</b> & 'clear'."}
USER, ANSWER = {"role": "user", "content": "Where is Oslo?"}, {"role": "assistant", "content": "Far away."}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "find", "arguments": {"x": "é<"}}}]}
TOOL = {"type": "function", "function": {"name": "find", "description": "<find> & tell", "parameters": {"type": "object", "properties": {}}}}
DIALOGUES = {
    "one question": [USER],
    "with a system prompt": [SYSTEM, USER],
    "several turns": [SYSTEM, USER, ANSWER, USER, ANSWER, USER],
    "a call": [USER, CALL, {"role": "tool", "content": "42"}, USER],
}


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(checkpoint.TINY, tmp_path / "model")
    return tmp_path / "model"


def tokenizer_of(folder, template=None):
    if template:
        change(folder / "tokenizer_config.json", chat_template=template, bos_token="<|endoftext|>")
    return checkpoint.load(folder)[1]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("dialogue", DIALOGUES)
def test_chats_are_those_of_transformers(folder, template, dialogue):
    ours, theirs = tokenizer_of(folder, TEMPLATES[template]), AutoTokenizer.from_pretrained(folder)
    for options in ({}, {"add_generation_prompt": True}, {"tools": [TOOL]}, {"add_generation_prompt": True, "enable_thinking": False}):
        try:
            due = theirs.apply_chat_template(DIALOGUES[dialogue], tokenize=False, **options)
        except Exception:
            with pytest.raises(ChatError, match="refuses these messages"):
                ours.chat(DIALOGUES[dialogue], **options)
            continue
        found = ours.chat(DIALOGUES[dialogue], **options)
        assert found == due
        assert ours.encode(found) == theirs(due, add_special_tokens=False).input_ids


def vocabulary_and_merges(folder):
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(merge) for merge in model["merges"]))
    (folder / "tokenizer.json").unlink()


def stored(**settings):
    def store(folder):
        fast = FastTokenizer.from_file(str(folder / "tokenizer.json"))
        if "truncation" in settings:
            fast.enable_truncation(settings["truncation"])
        if "padding" in settings:
            fast.enable_padding(length=settings["padding"], pad_id=0, pad_token="<|endoftext|>")
        fast.save(str(folder / "tokenizer.json"))

    return store


def saved_after_use(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer(["a b c d"] * 2, truncation=True, max_length=16, padding="max_length")
    tokenizer.save_pretrained(folder)


def with_new_token(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<|tool|>"], special_tokens=True)
    tokenizer.save_pretrained(folder)


def in_the_config_alone(folder):
    token = {"content": "<|tool|>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    change(folder / "tokenizer_config.json", added_tokens_decoder={"1073": token})


def in_a_map_alone(folder):
    change(folder / "tokenizer_config.json", eos_token=..., pad_token=...)
    (folder / "special_tokens_map.json").write_text(json.dumps({"eos_token": "<|end|>", "pad_token": "<|endoftext|>"}))


def in_files_of_its_own(folder):
    template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    change(folder / "tokenizer_config.json", chat_template=...)
    (folder / "chat_template.jinja").write_text(template)


FILES = {
    "a stored truncation": stored(truncation=8),
    "a stored padding": stored(padding=32),
    "both": stored(truncation=8, padding=32),
    "saved after use": saved_after_use,
    "vocabulary and merges": vocabulary_and_merges,
    "a new token": with_new_token,
    "a token in the config alone": in_the_config_alone,
    "no pad token": lambda folder: change(folder / "tokenizer_config.json", pad_token=None),
    "a map of special tokens": in_a_map_alone,
    "a template in a file": in_files_of_its_own,
}


@pytest.mark.filterwarnings("ignore:.*the tokenizer knows 1074 tokens")
@pytest.mark.parametrize("form", FILES)
def test_ids_are_those_of_transformers(folder, form):
    whole = AutoTokenizer.from_pretrained(checkpoint.TINY)
    FILES[form](folder)
    ours, theirs = tokenizer_of(folder), AutoTokenizer.from_pretrained(folder)
    for text in ("Oslo", "the town of Oslo has a river " * 9, "", " é 你好\n\n", "<|tool|> Oslo <|end|>"):
        due = theirs(text, add_special_tokens=False, truncation=False, padding=False).input_ids
        assert ours.encode(text) == due
        assert ours.decode(due) == theirs.decode(due, skip_special_tokens=True).strip()
    assert ours.encode("Oslo " * 99) == whole("Oslo " * 99, add_special_tokens=False).input_ids
    assert (len(ours), ours.eos_id) == (len(theirs), 1)
    assert ours.chat([USER]) == "<|user|> Where is Oslo?<|end|>"
    assert ours.pad_id == (1 if form == "no pad token" else 0)


# --- what is learned ----------------------------------------------------------------------------


def learned(tokenizer, messages, **variables):
    """The texts of the runs of labels, one for each turn of the assistant."""
    _, labels = chats.example(tokenizer, messages, **variables)
    runs, run = [], []
    for label in [*labels, data.IGNORE_INDEX]:
        if label != data.IGNORE_INDEX:
            run.append(label)
        elif run:
            runs.append("".join(map(tokenizer.token, run)).replace("Ċ", "\n"))
            run = []
    return runs


LEARNED = {
    "as it is": [" Far away.<|end|>"] * 2,
    "the last turn otherwise": ["Far away.<|end|>", "<think></think>Far away.<|end|>"],
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_answers_and_their_ends_are_learned(folder, template):
    tokenizer = tokenizer_of(folder, TEMPLATES[template])
    assert learned(tokenizer, [SYSTEM, USER, ANSWER, USER, ANSWER]) == LEARNED.get(template, ["Far away.<|end|>"] * 2)
    ids, labels = chats.example(tokenizer, [USER, ANSWER])
    assert ids == tokenizer.encode(tokenizer.chat([USER, ANSWER]))
    assert all(label in (id, data.IGNORE_INDEX) for id, label in zip(ids, labels))


def test_a_call_is_learned_and_what_the_tool_says_is_not(folder):
    tokenizer = tokenizer_of(folder, TEMPLATES["tools"])
    messages = [USER, CALL, {"role": "tool", "content": "42"}, ANSWER]
    assert learned(tokenizer, messages, tools=[TOOL]) == ['{"name": "find", "arguments": {"x": "Ã©<"}}<|end|>', "Far away.<|end|>"]


def test_an_answer_that_begins_like_the_prompt_is_learned_whole(folder):
    tokenizer = tokenizer_of(folder, TEMPLATES["the prompt opens a thought"])
    for content in ("<think>\nfar</think>Far.", "<b>Far</b>", "<", "Where is Oslo?"):
        turns = learned(tokenizer, [USER, {"role": "assistant", "content": content}])
        assert turns == [f"{content.removeprefix('<think>' + chr(10))}<|end|>"]


CALLED = (
    "{% for m in messages %}{{ '<|' + m.role + '|>' }}"
    "{% if m.role == 'assistant' and loop.last %}{{ '<think>' + (m.reasoning_content or '') + '</think>' }}{% endif %}{{ m.content or '' }}"
    "{% for call in m.tool_calls or [] %}{{ '[CALL]' + call.function | tojson + '[/CALL]' }}{% endfor %}{{ '<|end|>\n' }}{% endfor %}" + ASK
)
NO_HEADER = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ '[ASK] ' + m.content + ' [/ASK]' }}{% elif m.role == 'tool' %}{{ '[RESULT]' + m.content }}"
    "{% else %}{% if m.tool_calls %}{{ '[CALL]' + m.tool_calls[0].function | tojson }}{% else %}{{ ' ' + m.content }}{% endif %}{{ '<|end|>' }}"
    "{% endif %}{% endfor %}"
)
SHOWN_AGAIN = (
    "{% set ns = namespace(name='') %}{% for m in messages %}{% if m.role == 'tool' %}{{ '<|system|>' + ns.name + ': ' + m.content + '<|end|>' }}"
    "{% elif m.tool_calls %}{% set ns.name = m.tool_calls[0].function.name %}{{ '<|assistant|>' + ns.name + '<|end|>' }}"
    "{% else %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endif %}{% endfor %}" + ASK
)
TOLD = {"role": "tool", "content": "42"}
ASKED = '{"name": "find", "arguments": {"x": "Ã©<"}}'


@pytest.mark.parametrize(
    "template, messages, due",
    [
        (CALLED, [USER, CALL, TOLD, ANSWER], [f"[CALL]{ASKED}[/CALL]<|end|>", "<think></think>Far away.<|end|>"]),
        (CALLED, [USER, {**CALL, "content": "I look."}, TOLD], [f"I look.[CALL]{ASKED}[/CALL]<|end|>"]),
        (CALLED, [USER, {**ANSWER, "reasoning_content": "Hm."}], ["<think>Hm.</think>Far away.<|end|>"]),
        (CALLED, [ANSWER, USER, {"role": "assistant", "content": ""}], ["Far away.<|end|>", "<think></think><|end|>"]),
        (EACH + ASK, [USER, {"role": "assistant", "content": " \n"}, USER, ANSWER], [" \n<|end|>", "Far away.<|end|>"]),
        (CALLED, [USER, {"role": "assistant", "content": "<think></think>"}, USER, ANSWER], ["<think></think><|end|>", "<think></think>Far away.<|end|>"]),
        (NO_HEADER, [USER, CALL, TOLD, ANSWER], [f"[CALL]{ASKED}<|end|>", " Far away.<|end|>"]),
        (SHOWN_AGAIN, [USER, CALL, TOLD, ANSWER], ["find<|end|>", "Far away.<|end|>"]),
    ],
)
def test_calls_thoughts_and_empty_answers_are_learned_whole(folder, template, messages, due):
    assert learned(tokenizer_of(folder, template), messages) == due


def test_a_base_model_learns_the_end_of_its_template(folder):
    """Its own end token ends a text; the template's ends a turn. Both stop it."""
    change(folder / "tokenizer_config.json", eos_token="<|endoftext|>")
    change(folder / "config.json", eos_token_id=0)
    tokenizer = tokenizer_of(folder, TEMPLATES["the last turn otherwise"])
    assert (tokenizer.eos_id, tokenizer.eos_ids) == (0, [0, 1])
    assert learned(tokenizer, [USER, ANSWER, USER, ANSWER]) == ["Far away.<|end|>", "<think></think>Far away.<|end|>"]


def test_marks_that_mark_nothing_do_not_count(folder):
    template = "{# {% generation %} #}" + TEMPLATES["as it is in words"]
    assert learned(tokenizer_of(folder, template), [USER, ANSWER]) == ["Far away.<|end|>"]


def test_a_tokenizer_that_tells_no_places(folder):
    slow = ByT5Tokenizer()
    slow.chat_template = EACH + ASK
    ids, labels = chats.example(TransformersTokenizer(slow, [1], 999), [USER, ANSWER])
    assert ids == slow(slow.apply_chat_template([USER, ANSWER], tokenize=False), add_special_tokens=False).input_ids
    assert slow.decode([label for label in labels if label != data.IGNORE_INDEX]) == "Far away."


@pytest.mark.parametrize("messages", [[[USER, ANSWER]], "Where?", [["user", "Where?"]]])
def test_what_is_no_dialogue_is_told(folder, messages):
    with pytest.raises(ValueError, match="A dialogue is a list of messages"):
        data.dialogue_batch(tokenizer_of(folder), [messages])
    with pytest.raises(ValueError, match="at least one dialogue"):
        data.dialogue_batch(tokenizer_of(folder), [])


def test_half_a_character_is_told(folder):
    with pytest.raises(ValueError, match="half of a character"):
        data.dialogue_batch(tokenizer_of(folder), [[USER, {"role": "assistant", "content": "\ud800"}]])


def test_a_token_over_the_border_is_learned(folder):
    """The space behind the colon and the word behind it are one token."""
    plain = "{% for m in messages %}{{ m.role + ': ' + m.content + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    assert learned(tokenizer_of(folder, plain), [USER, {"role": "assistant", "content": "Oslo"}]) == [" Oslo<|end|>"]


@pytest.mark.parametrize(
    "template, messages",
    [
        (EACH, [USER]),
        ("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}", [USER, ANSWER]),
        (TEMPLATES["marks the answers"], [USER, USER]),
    ],
)
def test_a_dialogue_of_which_nothing_is_learned_is_named(folder, template, messages):
    with pytest.raises(ValueError, match="Nothing would be learned of .*Where is Oslo"):
        data.dialogue_batch(tokenizer_of(folder, template), [messages])


def test_questions_become_batches_with_any_template(folder):
    question = Question("Where is it?", "Oslo", "city", "Ada")
    for template in TEMPLATES.values():
        tokenizer = tokenizer_of(folder, template)
        batch = data.chat_batch(tokenizer, [question])
        assert batch["labels"][0].tolist()[-1] == tokenizer.eos_id or template == TEMPLATES["the last turn otherwise"]
        assert data.prompt_ids(tokenizer, question)


@pytest.mark.parametrize(
    "template, messages",
    [
        ("", [USER]),
        ("{{ raise_exception('Roles must take turns') }}", [USER]),
        ("{{ messages[0].nothing.more }}", [USER]),
        ("{% if %}", [USER]),
        ("{{ '<|user|>' + messages[0].content }}", [{"from": "human", "value": "hi"}]),
    ],
)
def test_a_template_that_fails_says_so(folder, template, messages):
    change(folder / "tokenizer_config.json", chat_template=template or ...)
    with pytest.raises(ChatError, match="has no chat template" if not template else "refuses these messages"):
        checkpoint.load(folder)[1].chat(messages)
