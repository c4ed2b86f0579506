"""From stored raws to filed complaints: parse, join, derive, route."""
