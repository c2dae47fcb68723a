"""Pure audio: decoding, resampling, the energy gate, and cutting into encoder steps."""
