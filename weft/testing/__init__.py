"""Stand-ins for tests: a tiny model, a tokenizer, a model with scripted logits."""
