"""Words of others in our sentences: quoted, so that nobody takes them for the grader's own, and without what a terminal obeys."""

import re

LONGEST = 300  # characters of a quotation; the place of an error tells more than its end
_COLOUR = re.compile("\x1b\\[[0-9;]*m")  # a terminal's
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufff9-\ufffb]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # they show nothing, but change the order of the others
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a sign: no file can hold it
_NAME = re.compile(r"[\w.\[\]]{1,60}")


def clean(text: str) -> str:
    """The text without control characters. Signs that change the order of reading are shown by their numbers."""
    text = _CONTROL.sub("", _COLOUR.sub("", text))
    text = _SURROGATE.sub("\ufffd", text)
    return _BIDI.sub(lambda sign: f"[U+{ord(sign.group()):04X}]", text)


def quoted(text: str) -> str:
    """The text as a quotation. It cannot end its own quotation."""
    text = clean(text)
    text = f"{text[:LONGEST]} …" if len(text) > LONGEST else text
    return "“" + re.sub("[“”]", '"', text) + "”"


def named(text: str) -> str:
    """A name as it is; all that is more than a name, as a quotation."""
    return text if _NAME.fullmatch(text) else quoted(text)


def code(text: str) -> str:
    """A line of code in backticks, as pages and notebooks set it."""
    return "`" + clean(text).replace("`", "'") + "`"
