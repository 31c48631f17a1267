"""One module a door; `tests.fuzz.campaign` knows them all."""
