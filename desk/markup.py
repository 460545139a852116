"""The course's texts as HTML."""

import html


def marked(words: str) -> str:
    """Escaped text; what stands in backticks is code."""
    parts = html.escape(words).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
