"""How a complaint is filed: one module per ticket store."""
