"""Who may: clients and their tokens, users, sessions, sign-in, the organisation's provider."""
