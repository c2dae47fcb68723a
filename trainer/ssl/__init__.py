"""Large self-supervised encoders: judges of whole clips, and teachers of the streaming one."""
