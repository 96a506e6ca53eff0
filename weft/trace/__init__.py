"""Traces, which show how an answer is unmasked step by step, in a terminal or as an HTML page."""
