"""One objective for all methods, trained by the HF Trainer under DeepSpeed."""
