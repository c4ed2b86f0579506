"""Product reviews of one's own WooCommerce shop."""

from connectors.woocommerce.connector import WooCommerceConnector
from connectors.woocommerce.settings import WooCommerceSettings

__all__ = ["WooCommerceConnector", "WooCommerceSettings"]
