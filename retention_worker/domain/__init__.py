"""Pure rules and values: the standard library and pydantic only, no input and no output."""
