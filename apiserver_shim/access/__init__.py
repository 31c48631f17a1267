"""Who may do what: users, role-based rules, the first roles, account tokens."""
