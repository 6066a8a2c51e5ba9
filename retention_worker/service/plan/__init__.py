"""Look, then let go: the plan of a sweep, the forecast, the approval."""
