"""What the policy files say, and since when."""
