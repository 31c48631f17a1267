"""The history of the tables of `sql_tables`, one revision a module."""
