"""What people are shown of a call's sound: a coarse picture, and a clip where clips are kept."""
