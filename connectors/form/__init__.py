"""A complaint form page and its JSON twin, both on the channel's public path."""

from connectors.form.connector import FormConnector
from connectors.form.settings import FormSettings

__all__ = ["FormConnector", "FormSettings"]
