"""What the connectors of shops' own review services share."""
