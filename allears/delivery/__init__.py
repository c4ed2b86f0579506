"""From filed events to tickets: each destination's courier, exactly once."""
