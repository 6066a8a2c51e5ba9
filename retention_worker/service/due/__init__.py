"""What is due: lanes with work, the fate of a locked account, what waits behind the watermark."""
