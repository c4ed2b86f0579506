"""What Facebook, Instagram and WhatsApp do alike: signed deliveries, the Graph API, direct messages."""
