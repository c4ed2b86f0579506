"""What connectors, normaliser, sinks and daemon agree on. Third parties import this package alone."""
