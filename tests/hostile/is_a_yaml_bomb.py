"""The head of a Markdown notebook names a billion things."""

# on: files
# costs: everything
# says: .

LINES = ["a: &a [x, x, x, x, x, x, x, x, x]", *(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi"))]
FILES = {"08_problem_lora.md": "---\n" + "\n".join(LINES) + "\n---\n\n```python\nLoRALinear = 1\n```\n"}
