"""What a report says of tuning: what every layer gained, by which knob, and what the search took."""
