"""The steps themselves, one a module. They stay as they were when they were first run."""
