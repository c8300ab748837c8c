"""Reading the competition's folder, and simulating one."""
