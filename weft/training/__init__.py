"""The training objective of all methods, and its optimisation by the Hugging Face Trainer with DeepSpeed."""
