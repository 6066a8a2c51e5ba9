"""The objects in stores that erased rows named."""
