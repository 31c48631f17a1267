"""BssOpenApi 2017-12-14: balance and bills on the gateway."""
