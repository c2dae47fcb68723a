"""What this server offers, written down for machines: OpenAPI 3.1 and AsyncAPI 3."""
