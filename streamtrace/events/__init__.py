"""What a call says: events, their wire form, and the log that keeps them."""
