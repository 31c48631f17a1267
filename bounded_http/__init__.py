"""An HTTP/1.1 server that no client can hold up: what every listener of the product runs.

It knows no API. Whoever serves one says in which words a request is refused that never becomes one.
"""
