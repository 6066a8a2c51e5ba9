"""Who may use the portal: users, their passwords, sign-in and sessions."""
