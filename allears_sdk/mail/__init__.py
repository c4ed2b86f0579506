"""Handing mails to a mail server, and what mail servers need for that: what connectors and sinks share."""
