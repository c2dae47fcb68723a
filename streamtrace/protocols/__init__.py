"""Sans-I/O readers of the telephony dialects: messages in, what they mean out."""
