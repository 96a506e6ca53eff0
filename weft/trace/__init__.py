"""Traces: how one answer is unmasked step by step, as text in a terminal or as an HTML page."""
