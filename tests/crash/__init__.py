"""kill -9 again and again, and a ledger of what was acknowledged: nothing of it may be lost.

`python -m tests.crash --kills 100`
"""
