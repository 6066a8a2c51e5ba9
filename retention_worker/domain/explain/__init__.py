"""Why an account's credentials are still there, and when they go."""
