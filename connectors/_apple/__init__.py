"""What the App Store's connectors share."""
