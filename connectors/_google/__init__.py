"""What the connectors of Google's review services share."""
