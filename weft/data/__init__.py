"""Questions, training examples and base models, from generators, files or the hub.  No noise here."""
