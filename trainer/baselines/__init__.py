"""Published and simple judges, run on the same clips, lines and lengths of speech as the model."""
