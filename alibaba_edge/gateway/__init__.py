"""The Alibaba API edge, product-free: signatures, dispatch, error bodies, call records."""
