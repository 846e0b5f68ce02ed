"""The steps that make and change the tables, run by Alembic. They import nothing of the package."""
