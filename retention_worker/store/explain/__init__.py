"""What explanations and forecasts ask."""
