"""The question bank: what the source says and what is true, and the bibliography that all notebooks share."""
