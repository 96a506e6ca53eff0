"""Verify results: digests, inputs, counts, verdicts and origins, from the page back to the base model."""

from weft.audit.verify import verify_results

__all__ = ["verify_results"]
