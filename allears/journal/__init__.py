"""The durable store between the stages: all the state allears has."""
