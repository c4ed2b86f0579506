"""Real servers on loopback, started and stopped by tests and benchmarks."""
