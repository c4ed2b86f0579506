"""Cases in Salesforce: each with our key in a unique external id, follow-ups as case comments, files linked."""

from sink.salesforce.settings import SalesforceSettings
from sink.salesforce.sink import SalesforceSink

__all__ = ["SalesforceSettings", "SalesforceSink"]
