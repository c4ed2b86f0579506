"""A watched directory: mails, JSON messages, and sheets exported by store desks."""

from connectors.folder.connector import FolderConnector
from connectors.folder.settings import FolderSettings

__all__ = ["FolderConnector", "FolderSettings"]
