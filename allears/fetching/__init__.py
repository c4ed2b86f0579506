"""Getting what was still at the platform when its message was stored: files and names."""
