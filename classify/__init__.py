"""Fine-tune an encoder such as RoBERTa to sort texts into classes, and use the result: python -m classify --help."""


class ClassifyError(Exception):
    """Something that the user gave is wrong. The message says what, where, and what to do."""
