"""Hearing: one supervisor per channel, which polls, listens and receives, and leaves what it hears in the journal."""
