"""Reviews of one's own apps in Huawei's AppGallery."""

from connectors.huawei_appgallery.connector import HuaweiAppGalleryConnector
from connectors.huawei_appgallery.settings import HuaweiAppGallerySettings

__all__ = ["HuaweiAppGalleryConnector", "HuaweiAppGallerySettings"]
