"""How long a test waits for what must come: a ceiling for a machine that has much else to do.

What is asserted is that it comes, never how soon. A test that hangs fails by this, or by the
`timeout` of pytest's settings, which is a little longer.
"""

PATIENCE = 240  # seconds
