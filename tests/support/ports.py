"""Ports of the local machine."""

import socket


def free_port():
    """Return a port that nothing uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
