"""Parsing and normalising in processes of their own, so that a busy thread never starves the loop."""
