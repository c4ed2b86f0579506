"""One package per kind of channel; none imports another."""
