"""What is measured, and the real servers it is measured and tested against."""
