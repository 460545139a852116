"""The bench: a tiny pretrained model, its tokenizer, the world it knows, data, measures and figures."""
