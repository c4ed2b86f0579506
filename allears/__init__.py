"""The daemon: hears, keeps, understands and files."""
