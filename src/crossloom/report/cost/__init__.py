"""What a report says of costs: energy, time and area, of every layer and component."""
