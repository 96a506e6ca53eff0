"""Speed and memory as ratios: ours against a reference that is run beside it, in the same process."""
