"""Measure speed and memory of training and sampling as ratios to plain transcriptions of the published code.

Run `python -m perf training` or `python -m perf sampler`; `make bench` runs both.  Each measurement runs
weft and its reference alternately in the same process.
"""
