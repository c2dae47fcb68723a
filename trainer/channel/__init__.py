"""What a telephone line does to a voice, the same to every voice."""
