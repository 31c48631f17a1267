"""Campaigns of odd inputs against every door of the product: `python -m tests.fuzz DOOR`."""
