"""New connectors: what `allears new-connector` writes."""
