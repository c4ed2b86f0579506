"""From what was heard to the complaint record: pure functions and rule packs, no I/O beyond the packaged rules."""
