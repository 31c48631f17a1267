"""The HTTP edge: routes, discovery, negotiation, status, watch, health."""
