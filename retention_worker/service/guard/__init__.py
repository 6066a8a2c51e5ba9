"""What refuses: the clock, the allowance, holds, the pause."""
