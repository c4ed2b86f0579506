"""Mail that is sent to us: an SMTP or LMTP server that says 250 once the mail is on disk."""

from connectors.smtp.connector import SmtpConnector
from connectors.smtp.settings import SmtpSettings

__all__ = ["SmtpConnector", "SmtpSettings"]
