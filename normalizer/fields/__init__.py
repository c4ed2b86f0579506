"""One module per derived field: each reads the same `Reading` and says what it found and where."""
