"""What pip brings with the course. Each pin has one home, the requirements*.txt; pyproject.toml says the rest.

What requirements.txt names above “The tests” is needed by whoever uses the course. Each requirements-NAME.txt is the extra NAME.
"""

from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent


def pins(name: str) -> list[str]:
    """The packages that a file of requirements names, without options, comments and what only the tests need."""
    text = (HERE / name).read_text(encoding="utf-8").partition("\n# The tests\n")[0]
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("-")]


setup(
    install_requires=pins("requirements.txt"),
    extras_require={path.stem.removeprefix("requirements-"): pins(path.name) for path in HERE.glob("requirements-*.txt")},
)
