"""Sans-I/O codecs of the telephony dialects."""
