"""Test questions, training examples and base models: generated, read from files, or downloaded."""
