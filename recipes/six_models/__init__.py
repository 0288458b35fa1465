"""Six networks of four tasks on one memristor system, from weights to a table: `python -m recipes.six_models`."""
