"""Checks before a long run: what on this machine, or of the experiment's files, would stop it.

`weft.doctor.examine.examine` runs all of them. The package itself imports nothing, so that a single check
does not load torch.
"""
