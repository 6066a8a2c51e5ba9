"""Why a credential is still there, for people: one account, one transaction, one tenant."""
