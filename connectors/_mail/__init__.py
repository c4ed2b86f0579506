"""What the mail connectors share; no channel of its own."""
