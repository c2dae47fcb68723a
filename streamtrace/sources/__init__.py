"""Where audio comes from: WebRTC, WebSockets, files, the microphone."""
