"""Share trained models: what a model was trained from, its model card, and its upload to the hub."""
