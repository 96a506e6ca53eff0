"""A rehearsal of the paper's grid: a stand-in for everything that it downloads, and a list of what differs.

`checkpoints` makes small networks under the published names with vocabularies of the published size,
`contents` makes data sets, benchmarks and instructions in their published forms, and `experiment` writes the
experiment file. All texts are weft's own.
"""
