"""What each route of the contract answers, and what it changes."""
