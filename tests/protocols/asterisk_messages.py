"""What Asterisk's WebSocket channel says first, in both of its forms."""

from __future__ import annotations

# As Asterisk 22.10 sends them for Dial(WebSocket/conn1/c(ulaw)f(json)…) and without f(json).
START = (
    '{"event":"MEDIA_START","connection_id":"conn1","channel":"WebSocket/conn1/0x7f2b4c0086f0",'
    '"channel_id":"1795225583.7","format":"ulaw","optimal_frame_size":160,"ptime":20,'
    '"channel_variables":{"tenant":"acme","EMPTY":"","n":1}}'
)
PLAIN = (
    "MEDIA_START connection_id:conn1 channel:WebSocket/conn1/0x7f2b4c0086f0"
    " channel_id:1795225583.7 format:ulaw optimal_frame_size:160 ptime:20"
)
# Of the first versions, which told no id of the channel.
OLD = (
    "MEDIA_START connection_id:e226e283-c90a-4ea9-9e37-389000b9ef47 channel:WebSocket/connectionid"
    " format:ulaw optimal_frame_size:160"
)
