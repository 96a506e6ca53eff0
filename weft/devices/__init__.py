"""The GPUs of this machine: which are visible, and which process may use them."""
