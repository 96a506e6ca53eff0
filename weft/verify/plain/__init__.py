"""Plain transcriptions of the published networks, losses and sampling loop, apart from weft's own code."""
