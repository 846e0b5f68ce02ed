"""What commands begin with: a project, its sources, a target, a plan, and what judges it."""
