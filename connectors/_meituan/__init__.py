"""What 美团外卖 and 大众点评 have in common: how they say what went wrong."""
