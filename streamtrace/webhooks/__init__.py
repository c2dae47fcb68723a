"""Events told to other servers: signed, tried again in time, and never into a private network."""
