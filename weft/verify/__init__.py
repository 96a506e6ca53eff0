"""Checks and measurements of weft on a device, against plain transcriptions of the published code."""
